cimport cython

from airgap.deflate.encoders.go_blocks cimport GoBlocks
from airgap.deflate.header cimport Header
from airgap.deflate.model cimport Model

cdef int MAX_MATCH, WINDOW
cdef int _BLOCK_TOKENS, _SHORTEST, _FAR_FOR_SHORTEST, _HASH_BITS, _HASH_SHIFT, _HASH_MASK
cdef int _HASH_FACTOR, _WINDOW_MASK, _MOVE_AT, _MARK_LIMIT, _HOPES

@cython.final
cdef class GoChains(GoBlocks):
    cdef int _greedy
    cdef int _lazy
    cdef int _nice
    cdef int _tries
    cdef int _hashed_match
    cdef int[::1] _heads
    cdef int[::1] _links
    cdef int _origin
    cdef int _window_mark
    cdef int _fresh
    cdef int _found
    cdef int _found_at

    @cython.locals(less=cython.int, place=cython.int)
    cdef int _renumber(self) except -1 nogil

    @cython.locals(token=cython.int, length=cython.int, better=cython.int)
    cdef int _decide(self) except -1 nogil

    @cython.locals(place=cython.int, mark=cython.int, key=cython.uint, head=cython.uint)
    cdef int _chain(self, int stop) except -1 nogil

    @cython.locals(mark=cython.int, longest=cython.int)
    cdef int _visit(self, int place, int beaten) except -1 nogil

    @cython.locals(
        oldest=cython.int, nice=cython.int, tries=cython.int, origin=cython.int,
        token=cython.int, candidate=cython.int, near=cython.int, last=cython.int,
        other=cython.uint, length=cython.int,
    )
    cdef int _search(self, unsigned int place, int mark, int beaten, int longest) except -1 nogil

    @cython.locals(length=cython.int)
    cdef int _length(
        self, unsigned int place, unsigned int other, int beaten, int longest
    ) except -1 nogil

    @cython.locals(
        ahead=cython.int, first=cython.int, second=cython.int, key=cython.uint, head=cython.uint,
        start=cython.int, tries=cython.int,
    )
    cdef int _hopeless(
        self, unsigned int place, int mark, int candidate, int beaten, int oldest
    ) except -1 nogil
