cimport cython

from airgap.deflate.encoders.zlib_codes cimport Codes
from airgap.deflate.header cimport Header

cdef int CODE_LENGTH_CODES, DYNAMIC, END_OF_BLOCK, FIXED, MAX_DISTANCES, MAX_LITERALS, STORED
cdef int _LONGEST, _LONGEST_OF_LENGTHS, _REPEAT, _ZEROS, _MANY_ZEROS

cdef class Blocks:
    cdef int tokens
    cdef int matches
    cdef long long bits
    cdef int[::1] literals
    cdef int[::1] distances
    cdef unsigned char[::1] length_symbols
    cdef unsigned char[::1] distance_symbols
    cdef unsigned char[::1] length_bits
    cdef unsigned char[::1] distance_bits
    cdef unsigned char[::1] order
    cdef Codes codes
    cdef int[::1] run_counts
    cdef long long optimal
    cdef long long static

    @cython.locals(symbol=cython.int)
    cdef int clear(self) except -1 nogil

    cdef int count_literal(self, int byte) except -1 nogil

    cdef int count_match(self, int length, int distance) except -1 nogil

    @cython.locals(symbol=cython.int, size=cython.longlong, fixed=cython.longlong)
    cdef int choose(self, Header header, int stored, int final) except -1 nogil

    @cython.locals(symbol=cython.int, used=cython.int, extra=cython.int, fixed=cython.int)
    cdef int _describe_literals(self, Header header) except -1 nogil

    @cython.locals(symbol=cython.int, used=cython.int, extra=cython.int)
    cdef int _describe_distances(self, Header header) except -1 nogil

    @cython.locals(symbol=cython.int, size=cython.int, used=cython.int)
    cdef int _describe_lengths(self, Header header) except -1 nogil

    @cython.locals(
        place=cython.int, last=cython.int, size=cython.int, most=cython.int, count=cython.int
    )
    cdef int _run(self, Header header, int used) except -1 nogil

    cdef int _say(self, Header header, int symbol, int extra) except -1 nogil
