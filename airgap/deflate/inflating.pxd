cimport cython

from airgap.deflate.bits cimport BitReader
from airgap.deflate.codes cimport Decoder
from airgap.deflate.header cimport Header
from airgap.deflate.heads cimport Heads
from airgap.deflate.tokens cimport TokenQueue

cdef int ENDS, FIXED, HEAD_WORDS, MAX_ALIAS, MAX_MATCH, STORED, WINDOW
cdef int BAD_DISTANCE_CODE, BAD_LITERAL_CODE, BAD_STORED_SIZE, BAD_SYMBOL, TOO_FAR_BACK
cdef int CROWDED, ENDED, FULL, HUNGRY, SOUND
cdef int _INPUT, _OUTPUT, _LITERAL_ROOT, _DISTANCE_ROOT, _LITERAL_MASK, _DISTANCE_MASK
cdef int _TOKEN_BITS, _LOADABLE, _KIND, _LINK, _LITERAL, _LENGTH, _END

cdef class Inflater:
    cdef public TokenQueue tokens
    cdef public BitReader bits
    cdef Heads heads
    cdef Header header
    cdef Decoder literals
    cdef Decoder distances
    cdef unsigned char[::1] fixed_literals
    cdef unsigned char[::1] fixed_distances
    cdef unsigned char[::1] out
    cdef int end
    cdef int taken
    cdef int stored_left
    cdef int inside
    cdef int ended
    cdef public int padding
    cdef public long long produced

    cdef int run(self) except -1 nogil

    @cython.locals(
        signal=cython.int, at=cython.int, count=cython.int, kept=cython.ulonglong
    )
    cdef int _begin(self) except -1 nogil

    @cython.locals(size=cython.int, complement=cython.int)
    cdef int _read_size(self) except -1 nogil

    @cython.locals(literals=cython.int)
    cdef int _build(self) except -1 nogil

    @cython.locals(size=cython.int, place=cython.int)
    cdef int _copy(self) except -1 nogil

    @cython.locals(
        data=cython.uchar[::1], bits=cython.ulonglong, count=cython.int, at=cython.int,
        last=cython.int, words=cython.int[::1], mask=cython.int, put=cython.longlong,
        limit=cython.longlong, literals=cython.int[::1], distances=cython.int[::1],
        out=cython.uchar[::1], end=cython.int, before=cython.longlong, signal=cython.int,
        byte=cython.ulonglong, entry=cython.int, index=cython.int, used=cython.int,
        kind=cython.int, extra=cython.int, length=cython.int, step=cython.int,
        distance=cython.int, word=cython.int, source=cython.int, place=cython.int,
    )
    cdef int _decode(self) except -1 nogil
