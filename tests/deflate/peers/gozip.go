// Gozip compresses its standard input with Go's own compress/gzip.
//
// Usage: gozip LEVEL PIECE
//
// LEVEL is one of -2 to 9. PIECE says how the writer is fed: 0 in one piece; a number of bytes in
// pieces of that size, by io.Copy for 32768; "odd" in pieces of changing odd sizes; "flush" in odd
// pieces with a flush after each.
package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"os"
	"strconv"
)

// Hides every method but Read, so that io.Copy copies by its own buffer of 32 KiB.
type onlyReader struct{ io.Reader }

func feed(to *gzip.Writer, data []byte, piece string) error {
	if piece == "32768" {
		_, err := io.Copy(struct{ io.Writer }{to}, onlyReader{bytes.NewReader(data)})
		return err
	}
	size, err := strconv.Atoi(piece)
	if err == nil {
		if size == 0 {
			size = len(data)
		}
		for len(data) > 0 {
			n := min(size, len(data))
			if _, err := to.Write(data[:n]); err != nil {
				return err
			}
			data = data[n:]
		}
		return nil
	}
	for turn := 1; len(data) > 0; turn++ {
		n := min(turn*7919%40961|1, len(data))
		if _, err := to.Write(data[:n]); err != nil {
			return err
		}
		if piece == "flush" {
			if err := to.Flush(); err != nil {
				return err
			}
		}
		data = data[n:]
	}
	return nil
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func main() {
	level, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	to, err := gzip.NewWriterLevel(os.Stdout, level)
	if err != nil {
		log.Fatal(err)
	}
	if err := feed(to, data, os.Args[2]); err != nil {
		log.Fatal(err)
	}
	if err := to.Close(); err != nil {
		log.Fatal(err)
	}
}
