cimport cython

from airgap.deflate.header cimport Header

cdef int BEGINS, CODE_LENGTH_CODES, DYNAMIC, QUEUE

cdef class TokenQueue:
    cdef public int[::1] words
    cdef public int mask
    cdef public long long first
    cdef public long long last

    cdef int clear(self) except -1 nogil
    cdef int room(self) except -1 nogil
    cdef int put(self, int word) except -1 nogil
    @cython.locals(word=cython.int)
    cdef int get(self) except? -1 nogil
    @cython.locals(symbol=cython.int, place=cython.int)
    cdef int put_head(self, Header header) except -1 nogil
    @cython.locals(word=cython.int, symbol=cython.int, place=cython.int)
    cdef int get_head(self, Header header) except -1 nogil
