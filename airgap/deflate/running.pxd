cimport cython

from airgap.deflate.inflating cimport Inflater

@cython.locals(signal=cython.int)
cpdef int inflate(Inflater inflater) except -1
