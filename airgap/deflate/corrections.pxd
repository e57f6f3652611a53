cimport cython

from airgap.deflate.bits cimport BitReader, BitWriter
from airgap.deflate.header cimport Header
from airgap.deflate.heads cimport Heads

cdef int CONTINUED, CONTINUES, COUNTED, FLIPPED, HEADED, MAX_ALIAS, MAX_BLOCK_TOKENS
cdef int MIN_MATCH, WINDOW, SOUND
cdef int _BUFFER, _HEAVY, _PADDING, _VARINT_BITS, _LOW, _MORE

cdef class Column:
    cdef unsigned char[::1] data
    cdef int size

    cdef int put(self, long long value) except -1 nogil
    cpdef bytes take(self)

cdef class Corrections:
    cdef Column token_gaps
    cdef Column token_lengths
    cdef Column token_distances
    cdef Column block_gaps
    cdef Column block_marks
    cdef Column block_counts
    cdef BitWriter heads
    cdef Heads writer
    cdef public long long tokens_right
    cdef public long long blocks_right
    cdef public int crowded
    cdef public list columns

    @cython.locals(length=cython.int, distance=cython.int)
    cdef int token(self, int token, int predicted) except -1 nogil

    @cython.locals(marks=cython.int)
    cdef int block(
        self, int counted, int tokens, Header header, Header predicted
    ) except -1 nogil

cdef class ColumnReader:
    cdef unsigned char[::1] data
    cdef int size
    cdef int at

    @cython.locals(value=cython.longlong, byte=cython.longlong, shift=cython.int)
    cdef long long get(self) except -2 nogil

cdef class CorrectionReader:
    cdef ColumnReader token_gaps
    cdef ColumnReader token_lengths
    cdef ColumnReader token_distances
    cdef ColumnReader block_gaps
    cdef ColumnReader block_marks
    cdef ColumnReader block_counts
    cdef BitReader heads
    cdef Heads reader
    cdef Header header
    cdef int marks
    cdef int count
    cdef int broken
    cdef long long tokens_right
    cdef long long blocks_right

    @cython.locals(length=cython.longlong, distance=cython.longlong)
    cdef int token(self, int predicted) except -1 nogil
    @cython.locals(count=cython.longlong, marks=cython.longlong)
    cdef int block(self) except -1 nogil
