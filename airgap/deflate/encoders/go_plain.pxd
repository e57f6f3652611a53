cimport cython

from airgap.deflate.encoders.go_blocks cimport GoBlocks
from airgap.deflate.header cimport Header
from airgap.deflate.model cimport Model

cdef int MAX_STORED, STORED

@cython.final
cdef class GoPlain(GoBlocks):
    cdef int _codes
