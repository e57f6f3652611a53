from airgap.deflate.header cimport Header

cdef int CAPACITY, HISTORY, LOOKAHEAD

cdef class Model:
    cdef public unsigned char[::1] data
    cdef public int pos
    cdef public int end
    cdef public int closed
    cdef public int continues
    cdef public long long offset

    cdef int restart(self) except -1 nogil
    cpdef int room(self) except -1
    cpdef int ready(self) except -1
    cdef int slide(self, int distance) except -1 nogil
    cdef int begin_block(self) except -1 nogil
    cdef int ends_block(self) except -1 nogil
    cdef int predict(self) except -1 nogil
    cdef int accept(self, int token) except -1 nogil
    cdef int choose(self, Header header) except -1 nogil
