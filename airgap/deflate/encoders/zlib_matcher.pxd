cimport cython

from airgap.deflate.encoders.zlib_blocks cimport Blocks
from airgap.deflate.encoders.zlib_search cimport Search

cdef int MIN_MATCH

cdef class Matcher(Search):
    cdef int lazy
    cdef int block
    cdef int last
    cdef Blocks blocks
    cdef int known_at
    cdef int known

    @cython.locals(token=cython.int, length=cython.int, better=cython.int)
    cdef int predict(self) except -1 nogil

    @cython.locals(length=cython.int, after=cython.int, room=cython.int)
    cdef int accept(self, int token) except -1 nogil
