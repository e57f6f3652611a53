cimport cython

from airgap.deflate.bits cimport BitReader, BitWriter
from airgap.deflate.codes cimport Decoder, Encoder
from airgap.deflate.header cimport Header

cdef int CODE_LENGTH_CODES, DYNAMIC, END_OF_BLOCK, MAX_DISTANCES, MAX_LITERALS, MAX_RUNS, STORED
cdef int MANY_ZEROS, REPEAT
cdef int BAD_CODE_LENGTHS, BAD_KIND, BAD_PADDING, BAD_RUN, HUNGRY, NO_CODE, NO_END_CODE, SOUND
cdef int TOO_MANY_CODES

cdef class Heads:
    cdef public unsigned char[::1] lengths
    cdef unsigned char[::1] order
    cdef Decoder decoder
    cdef Encoder encoder

    @cython.locals(value=cython.int)
    cdef int read(self, BitReader bits, Header header, int spare) except -1 nogil

    @cython.locals(
        value=cython.int, place=cython.int, total=cython.int, described=cython.int,
        signal=cython.int,
    )
    cdef int _read_codes(self, BitReader bits, Header header) except -1 nogil

    @cython.locals(entry=cython.int, symbol=cython.int, extra=cython.int)
    cdef int _read_run(self, BitReader bits, Header header) except -1 nogil

    cdef int extra_bits(self, int symbol) except -1 nogil

    @cython.locals(symbol=cython.int)
    cdef int span(self, Header header, int place) except -1 nogil

    @cython.locals(
        total=cython.int, described=cython.int, place=cython.int, symbol=cython.int,
        size=cython.int, span=cython.int, _=cython.int,
    )
    cdef int expand(self, Header header) except -1 nogil

    @cython.locals(place=cython.int, symbol=cython.int, size=cython.int)
    cdef int write(self, BitWriter bits, Header header, int spare) except -1 nogil
