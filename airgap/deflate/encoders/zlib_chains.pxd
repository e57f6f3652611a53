cimport cython

from airgap.deflate.model cimport Model

cdef int MAX_MATCH, MIN_MATCH, WINDOW
cdef int _MAX_DISTANCE, _NEVER, _AWAY, _FAR
cdef long long _LOW

cdef class Chains(Model):
    cdef int stop
    cdef int origin
    cdef int depth
    cdef int good
    cdef int nice
    cdef int every
    cdef int inserted
    cdef int shift
    cdef int mask
    cdef long long[::1] heads
    cdef unsigned int[::1] links

    @cython.locals(place=cython.int, entry=cython.longlong)
    cdef int slide(self, int distance) except -1 nogil

    @cython.locals(place=cython.int)
    cdef int forget(self, int position) except -1 nogil

    @cython.locals(
        position=cython.int, sum_of_three=cython.int, entry=cython.longlong,
        distance=cython.int, rank=cython.longlong,
    )
    cdef int insert(self, int last) except -1 nogil

    @cython.locals(
        most=cython.int, link=cython.uint, rank=cython.int, place=cython.int, depth=cython.int,
        nice=cython.int, limit=cython.int, best=cython.int, found=cython.int, ahead=cython.int,
        left=cython.int, other=cython.int, first=cython.int, second=cython.int, tail=cython.int,
        before=cython.int, length=cython.int, walked=cython.int,
    )
    cdef int find(self, int position, int least) except -1 nogil
