cimport cython

from airgap.deflate.encoders.zlib_matcher cimport Matcher
from airgap.deflate.header cimport Header

cdef int WINDOW
cdef int _LOOKAHEAD

cdef class Zlib(Matcher):
    cdef int most
    cdef int full

    cdef int finishes(self) except -1 nogil

    cdef int ends_late(self) except -1 nogil

    @cython.locals(stands=cython.int)
    cdef int storable(self) except -2 nogil

    # A position may be anything but this.
    @cython.locals(moves=cython.int, into=cython.int)
    cdef int window(self, int stands) except? -1 nogil
