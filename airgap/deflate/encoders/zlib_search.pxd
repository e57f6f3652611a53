cimport cython

from airgap.deflate.encoders.zlib_chains cimport Chains

cdef int MAX_MATCH, MIN_MATCH, WINDOW
cdef int _MAX_DISTANCE, _TOO_FAR, _FAR, _AHEAD

cdef class Search(Chains):
    @cython.locals(token=cython.int)
    cdef int find(self, int position, int least) except -1 nogil

    @cython.final
    @cython.locals(
        most=cython.int, nice=cython.int, link=cython.uint, rank=cython.int, nearest=cython.int,
        limit=cython.int, depth=cython.int, best=cython.int, found=cython.int, left=cython.int,
        ahead=cython.int, place=cython.int, other=cython.int, first=cython.int, second=cython.int,
        third=cython.int, last=cython.int, before=cython.int, length=cython.int, walked=cython.int,
    )
    cdef int leap(self, int position, int least) except -1 nogil
