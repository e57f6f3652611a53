cimport cython

from airgap.deflate.encoders.zlib_plain cimport Zlib
from airgap.deflate.header cimport Header

cdef int FIXED, STORED, WINDOW
cdef int PARALLEL, SINGLE, INDEPENDENT, _PIECE, _EMPTY_FIXED_BITS

cdef class Pigz(Zlib):
    cdef int mode
    cdef int over
    cdef int fixed
    cdef int stored

    cdef int begin_piece(self) except -1 nogil

    cdef int end_piece(self) except -1 nogil
