cimport cython

cdef int CODE_LENGTH_CODES, DYNAMIC, MAX_RUNS, STORED

cdef class Header:
    cdef public int kind
    cdef public int final
    cdef public int padding
    cdef public int literals
    cdef public int distances
    cdef public int codes
    cdef public int runs
    cdef public unsigned char[::1] code_lengths
    cdef public unsigned char[::1] run_symbols
    cdef public unsigned char[::1] run_extras

    cdef int clear(self) except -1 nogil

    @cython.locals(symbol=cython.int, place=cython.int)
    cdef int equals(self, Header other) except -1 nogil
