cimport cython

from airgap.deflate.encoders.go_huffman cimport GoHuffman
from airgap.deflate.header cimport Header
from airgap.deflate.model cimport Model

cdef int CODE_LENGTH_CODES, DYNAMIC, END_OF_BLOCK, FIXED, MAX_DISTANCES, MAX_LITERALS
cdef int MAX_MATCH, MAX_RUNS, MAX_STORED, MIN_MATCH, STORED
cdef int _MAX_BITS, _MAX_RUN_BITS, _REPEAT, _FEW_ZEROS, _MANY_ZEROS

cdef class GoBlocks(Model):
    cdef public int tokens
    cdef public int block_start
    cdef int[::1] _length_symbols
    cdef int[::1] _distance_symbols
    cdef unsigned char[::1] _extra_length_bits
    cdef unsigned char[::1] _extra_distance_bits
    cdef unsigned char[::1] _transmission
    cdef int[::1] _literal_counts
    cdef int[::1] _distance_counts
    cdef int[::1] _run_counts
    cdef unsigned char[::1] _literal_lengths
    cdef unsigned char[::1] _distance_lengths
    cdef unsigned char[::1] _lengths
    cdef GoHuffman _huffman

    @cython.locals(symbol=cython.int)
    cdef int begin_block(self) except -1 nogil

    @cython.locals(reach=cython.int, place=cython.int)
    cdef int count(self, int token) except -1 nogil

    cdef int choose_empty(self, Header header) except -1 nogil

    @cython.locals(
        dynamic=cython.int, extra=cython.int, smallest=cython.int, fixed=cython.int,
        size=cython.int,
    )
    cdef int choose_smallest(self, Header header, int storable) except -1 nogil

    @cython.locals(dynamic=cython.int, size=cython.int)
    cdef int choose_dynamic(self, Header header) except -1 nogil

    @cython.locals(
        literals=cython.int, distances=cython.int, symbol=cython.int, codes=cython.int,
        bits=cython.int,
    )
    cdef int _write_dynamic(self, Header header) except -1 nogil

    @cython.locals(
        symbol=cython.int, place=cython.int, size=cython.int, left=cython.int, taken=cython.int
    )
    cdef int _write_runs(self, Header header, int total) except -1 nogil

    cdef int _write_run(self, Header header, int symbol, int extra) except -1 nogil

    @cython.locals(bits=cython.int, symbol=cython.int, length=cython.int)
    cdef int _fixed_bits(self) except -1 nogil

    @cython.locals(bits=cython.int, symbol=cython.int)
    cdef int _extra_bits(self) except -1 nogil
