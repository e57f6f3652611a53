cimport cython

from airgap.deflate.encoders.klauspost_blocks cimport KlauspostBlocks
from airgap.deflate.header cimport Header
from airgap.deflate.model cimport Model

cdef int CAPACITY, MAX_MATCH, MIN_MATCH, WINDOW
cdef int _PENALTY, _SHORTEST, _BLOCK_TOKENS, _MARGIN, _LEFT_OUT, _SLOTS, _SHIFT, _RING_MASK
cdef int _FIRST_ORIGIN, _LAST_ORIGIN, _BYTES, _MAX_BITS, _LEAST_GAIN, _MATCH_COST, _FARTHEST_BITS, _WEIGHED
cdef int _COUNTER_MASK, _EXACT_HEADS
cdef unsigned int _FACTOR, _WORD

cdef class KlauspostChains(KlauspostBlocks):
    cdef int _lazy
    cdef int _nice
    cdef int _chain
    cdef int _weighed
    cdef int[::1] _heads
    cdef int[::1] _ring
    cdef int _origin
    cdef int[::1] _byte_counts
    cdef unsigned char[::1] _byte_lengths
    cdef int[::1] _queue
    cdef int _queued
    cdef int _next
    cdef int _base
    cdef int _window_end
    cdef int _flushing
    cdef int _place
    cdef int _inserted
    cdef int _length
    cdef int _distance
    cdef int _pending
    cdef int _literals

    cdef int _start_over(self) except -1 nogil
    @cython.locals(slot=cython.int)
    cdef int _renumber(self, int less) except -1 nogil
    @cython.locals(last=cython.int)
    cdef int choose(self, Header header) except -1 nogil
    @cython.locals(
        ahead=cython.int, before=cython.int, distance=cython.int, least=cython.int,
        skipped=cython.int,
    )
    cdef int _step(self) except -1 nogil
    @cython.locals(symbol=cython.int, place=cython.int)
    cdef int _fill(self) except -1 nogil
    @cython.locals(slot=cython.int, head=cython.int)
    cdef int _insert(self, int place) except -1 nogil
    cdef int _put(self, int token) except -1 nogil
    cdef int _put_pending(self) except -1 nogil
    @cython.locals(_=cython.int)
    cdef int _skip(self, int places) except -1 nogil
    @cython.locals(
        start=cython.int, limit=cython.int, other=cython.int, stop=cython.int,
        longer=cython.int, first=cython.int, after=cython.int, inserted=cython.int,
    )
    cdef int _put_match(self, int length, int distance, int ahead, int least) except -1 nogil
    @cython.locals(
        longest=cython.int, nice=cython.int, length=cython.int, gain=cython.int, last=cython.int,
        tries=cython.int, same=cython.int, better=cython.int, saved=cython.int,
        place=cython.int, origin=cython.int,
    )
    cdef int _find(
        self, unsigned char[::1] data, int[::1] ring, int other, int ahead, int least
    ) except -1 nogil
    @cython.locals(bits=cython.int, at=cython.int, symbol=cython.int, far=cython.int)
    cdef int _gain(self, int place, int distance, int length) except? -1000000 nogil
    @cython.locals(word=cython.uint)
    cdef int _slot(self, int place) except -1 nogil
