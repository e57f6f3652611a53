cimport cython

from airgap.deflate.model cimport Model

cdef int MAX_MATCH, MIN_MATCH, WINDOW
cdef int _MAX_DISTANCE, _NEVER, _AWAY, _FAR, _FOURS, _FOUR_BITS
cdef unsigned int _MULTIPLIER
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
    cdef int[::1] heads
    cdef unsigned int[::1] links
    cdef int[::1] four_heads
    cdef unsigned short[::1] four_links
    cdef unsigned int[::1] spare

    @cython.locals(place=cython.int)
    cdef int slide(self, int distance) except -1 nogil

    @cython.locals(place=cython.int)
    cdef int turn(self, int distance) except -1 nogil

    @cython.locals(place=cython.int)
    cdef int forget(self, int position) except -1 nogil

    @cython.locals(position=cython.int, value=cython.int)
    cdef int insert(self, int last) except -1 nogil

    @cython.final
    @cython.locals(distance=cython.int, rank=cython.uint)
    cdef inline int link(self, int position, int place) except -1 nogil

    @cython.final
    @cython.locals(
        position=cython.int, four=cython.uint, three=cython.int, byte=cython.int, place=cython.int,
        distance=cython.int, shift=cython.int, mask=cython.int,
    )
    cdef int insert_twice(self, int last) except -1 nogil

    @cython.final
    @cython.locals(
        most=cython.int, nice=cython.int, place=cython.int, left=cython.int, limit=cython.int,
        best=cython.int, found=cython.int, length=cython.int,
    )
    cdef int walk(self, int position, int least) except -1 nogil
