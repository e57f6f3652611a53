// Pgzip compresses its standard input with github.com/klauspost/pgzip, or with the gzip of
// github.com/klauspost/compress.
//
// Usage: pgzip pgzip|gzip LEVEL PIECE
//
// PIECE says in pieces of how many bytes the writer is fed, and flushed after each if it is negative.
package main

import (
	"io"
	"log"
	"os"
	"strconv"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/pgzip"
)

type writer interface {
	io.WriteCloser
	Flush() error
}

func open(which string, level int) (writer, error) {
	if which == "pgzip" {
		return pgzip.NewWriterLevel(os.Stdout, level)
	}
	return gzip.NewWriterLevel(os.Stdout, level)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	to, err := open(os.Args[1], number(os.Args[2]))
	if err != nil {
		log.Fatal(err)
	}
	piece := number(os.Args[3])
	flush := piece < 0
	if flush {
		piece = -piece
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	for len(data) > 0 {
		if piece > len(data) {
			piece = len(data)
		}
		if _, err := to.Write(data[:piece]); err != nil {
			log.Fatal(err)
		}
		if flush {
			if err := to.Flush(); err != nil {
				log.Fatal(err)
			}
		}
		data = data[piece:]
	}
	if err := to.Close(); err != nil {
		log.Fatal(err)
	}
}
