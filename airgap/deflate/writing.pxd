cimport cython

from airgap.deflate.bits cimport BitWriter
from airgap.deflate.codes cimport Encoder
from airgap.deflate.header cimport Header
from airgap.deflate.heads cimport Heads

cdef int CONTINUED, DYNAMIC, END_OF_BLOCK, MAX_ALIAS, MAX_BLOCK_TOKENS, MAX_STORED
cdef int MIN_MATCH, STORED
cdef int BAD_DISTANCE_CODE, BAD_LITERAL_CODE, NO_CODE, NOTHING_TO_CONTINUE, SOUND
cdef int STORED_TOO_LONG, OUTPUT
cdef int _BYTE, _FIRST_LENGTH, NEAR

cdef class BlockWriter:
    cdef public BitWriter bits
    cdef Heads heads
    cdef int[::1] tokens
    cdef public int count
    cdef public int open
    cdef public int last
    cdef Encoder literals
    cdef Encoder distances
    cdef unsigned char[::1] fixed_literals
    cdef unsigned char[::1] fixed_distances
    cdef unsigned char[::1] length_symbols
    cdef int[::1] length_bases
    cdef unsigned char[::1] length_extras
    cdef int[::1] length_codes
    cdef unsigned char[::1] length_sizes
    cdef unsigned char[::1] distance_symbols
    cdef int[::1] distance_bases
    cdef unsigned char[::1] distance_extras

    cdef int restart(self) except -1 nogil
    cdef int add(self, int token) except -1 nogil

    @cython.locals(count=cython.int, signal=cython.int)
    cdef int write(
        self, Header header, unsigned char[::1] data, int start, int end
    ) except -1 nogil

    @cython.locals(size=cython.int)
    cdef int finish_block(self) except -1 nogil

    @cython.locals(spare=cython.int)
    cdef int finish(self, int padding) except -1 nogil

    @cython.locals(size=cython.int, signal=cython.int, at=cython.int, place=cython.int)
    cdef int _write_stored(
        self, Header header, unsigned char[::1] data, int start, int end
    ) except -1 nogil

    @cython.locals(
        signal=cython.int, literals=cython.int, length=cython.int, symbol=cython.int,
        size=cython.int, extra=cython.int,
    )
    cdef int _build(self, Header header) except -1 nogil

    @cython.locals(
        words=cython.int[::1], data=cython.uchar[::1], at=cython.int, bits=cython.ulonglong,
        count=cython.int, literal_codes=cython.int[::1], literal_sizes=cython.uchar[::1],
        length_codes=cython.int[::1], length_sizes=cython.uchar[::1],
        distance_codes=cython.int[::1], distance_sizes=cython.uchar[::1], place=cython.int,
        word=cython.int, size=cython.int, value=cython.ulonglong, length=cython.int,
        distance=cython.int, symbol=cython.int, step=cython.int,
    )
    cdef int _write_tokens(self, int tokens) except -1 nogil
