cimport cython

cdef int MAX_CODE_LENGTH, _KIND, _LINK, _NOTHING

cdef class Decoder:
    cdef public int root
    cdef public int lenient
    cdef public int[::1] meanings
    cdef public int[::1] table
    cdef int[::1] counts
    cdef int[::1] next
    cdef int[::1] turned
    cdef unsigned char[::1] deepest

    @cython.locals(
        size=cython.int, symbol=cython.int, left=cython.int, longest=cython.int, code=cython.int,
        place=cython.int,
    )
    cdef int build(self, unsigned char[::1] lengths, int first, int count) except -1 nogil

    @cython.locals(
        symbol=cython.int, size=cython.int, code=cython.int, turned=cython.int, _bit=cython.int
    )
    cdef int _turn(self, unsigned char[::1] lengths, int first, int count) except -1 nogil

    @cython.locals(place=cython.int, symbol=cython.int, size=cython.int, free=cython.int)
    cdef int _link(self, unsigned char[::1] lengths, int first, int count) except -1 nogil

    @cython.locals(
        symbol=cython.int, size=cython.int, entry=cython.int, place=cython.int, limit=cython.int,
        step=cython.int, link=cython.int, free=cython.int,
    )
    cdef int _fill(self, unsigned char[::1] lengths, int first, int count) except -1 nogil

    @cython.locals(entry=cython.int)
    cdef int find(self, unsigned long long bits) except -1 nogil

cdef class Encoder:
    cdef public int[::1] codes
    cdef public unsigned char[::1] sizes
    cdef int[::1] counts
    cdef int[::1] next

    @cython.locals(
        size=cython.int, symbol=cython.int, code=cython.int, turned=cython.int, _bit=cython.int
    )
    cdef int build(self, unsigned char[::1] lengths, int first, int count) except -1 nogil
