cimport cython

cdef int _LARGEST, _LONGEST

cdef class Codes:
    cdef int[::1] weights
    cdef unsigned char[::1] lengths
    cdef unsigned char[::1] depths
    cdef int[::1] parents
    cdef int[::1] heap
    cdef int[::1] taken
    cdef int[::1] numbers

    @cython.locals(last=cython.int, size=cython.int, symbol=cython.int, place=cython.int)
    cdef int build(self, int symbols, int longest) except -2 nogil

    cdef int _lighter(self, int one, int other) except -1 nogil

    @cython.locals(node=cython.int, son=cython.int)
    cdef int _sink(self, int place, int size) except -1 nogil

    @cython.locals(
        node=cython.int, taken=cython.int, first=cython.int, second=cython.int, deeper=cython.int
    )
    cdef int _join(self, int symbols, int size) except -1 nogil

    @cython.locals(size=cython.int, over=cython.int, place=cython.int, node=cython.int)
    cdef int _measure(self, int taken, int symbols, int longest) except -1 nogil

    @cython.locals(size=cython.int, place=cython.int, node=cython.int, left=cython.int)
    cdef int _repair(self, int over, int symbols, int longest) except -1 nogil
