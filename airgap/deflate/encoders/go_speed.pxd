cimport cython

from airgap.deflate.encoders.go_blocks cimport GoBlocks
from airgap.deflate.header cimport Header
from airgap.deflate.model cimport Model

cdef int MAX_MATCH, MAX_STORED, STORED, WINDOW
cdef int _SHORTEST, _FEWEST_SEARCHED, _MOST_STORED, _MARGIN, _HASH_BITS, _HASH_SHIFT, _HASH_MASK
cdef int _HASH_FACTOR, _FIRST_SKIP, _SKIP_SHIFT, _MARK_LIMIT

@cython.final
cdef class GoSpeed(GoBlocks):
    cdef int[::1] _marks
    cdef unsigned int[::1] _words
    cdef int _origin
    cdef int[::1] _starts
    cdef int[::1] _matches
    cdef int _found
    cdef int _next
    cdef int _size

    @cython.locals(less=cython.int, place=cython.int)
    cdef int _renumber(self) except -1 nogil

    cdef int _match_at(self, int place) except -1 nogil

    @cython.locals(saved=cython.int)
    cdef int _search_block(self) except -1 nogil

    @cython.locals(
        saved=cython.int, stop=cython.int, limit=cython.int, place=cython.int, word=cython.uint,
        head=cython.int, skip=cython.int, following=cython.int, mark=cython.int,
        candidate=cython.int, same=cython.bint, length=cython.int,
    )
    cdef int _search(self) except -1 nogil

    @cython.locals(longest=cython.int, length=cython.int)
    cdef int _length(self, int place, int other, int stop) except -1 nogil

    cdef unsigned int _word(self, int place) except? 0 nogil

    cdef int _hash(self, unsigned int word) except -1 nogil
