cimport cython

cdef int _BYTE

cdef class BitReader:
    cdef public unsigned char[::1] data
    cdef public int at
    cdef public int end
    cdef public unsigned long long bits
    cdef public int count

    @cython.locals(byte=cython.ulonglong)
    cdef int load(self, int size) except -1 nogil
    @cython.locals(value=cython.int)
    cdef int take(self, int size) except -2 nogil
    cdef int unload(self) except -1 nogil

cdef class BitWriter:
    cdef public unsigned char[::1] data
    cdef public int at
    cdef public unsigned long long bits
    cdef public int count

    @cython.locals(wide=cython.ulonglong)
    cdef int put(self, unsigned int value, int size) except -1 nogil
    cpdef bytes take(self)
