cimport cython

from airgap.deflate.encoders.klauspost_search cimport KlauspostSearch

cdef int MAX_MATCH, MAX_STORED, WINDOW
cdef int _SHORTEST, _SLOTS, _SHORT_SHIFT, _LONG_SHIFT, _GOOD, _FAST, _LOOKING_ON, _LACKING
cdef unsigned int _SHORT_FACTOR, _WORD
cdef unsigned long long _LONG_FACTOR, _TWO_WORDS

@cython.final
cdef class TwoTableSearch(KlauspostSearch):
    cdef int _level
    cdef int _skip_shift
    cdef int _looks_on
    cdef int _ignored
    cdef int[::1] _short
    cdef int[::1] _long
    cdef int[::1] _kept_short
    cdef int[::1] _kept_long

    @cython.locals(slot=cython.int)
    cdef int _lessen(self, int[::1] table, int slots, int less) except -1 nogil

    @cython.locals(
        place=cython.int, limit=cython.int, origin=cython.int, shift=cython.int,
        fast=cython.bint, emit=cython.int, following=cython.int, word=cython.ulonglong,
        short_slot=cython.int, long_slot=cython.int, length=cython.int, four=cython.uint,
        coming=cython.ulonglong, nearest=cython.int, other=cython.int, older=cython.int, longer=cython.int,
    )
    cdef int _search(
        self, unsigned char[::1] data, int[::1] short, int[::1] long, int once
    ) except -1 nogil

    @cython.locals(
        after=cython.int, slot=cython.int, start=cython.int, candidate=cython.int,
        longer=cython.int, emit=cython.int, floor=cython.int,
    )
    cdef int _take(
        self, unsigned char[::1] data, int[::1] long, int place, int other, int length
    ) except -1 nogil

    @cython.locals(origin=cython.int, word=cython.ulonglong)
    cdef int _index_sparsely(
        self, unsigned char[::1] data, int[::1] short, int[::1] long, int place, int last
    ) except -1 nogil

    @cython.locals(origin=cython.int, word=cython.ulonglong)
    cdef int _index_densely(
        self, unsigned char[::1] data, int[::1] short, int[::1] long, int place, int after
    ) except -1 nogil

    @cython.locals(slot=cython.int)
    cdef int _put_long(self, int[::1] long, unsigned long long word, int mark) except -1 nogil

    cdef int _length(
        self, unsigned char[::1] data, int place, int other, int length, int longest
    ) except -1 nogil

    @cython.locals(high=cython.ulonglong)
    cdef unsigned long long _load(
        self, unsigned char[::1] data, int place
    ) except? 0xC3A59F1B7D2E4681 nogil
    cdef unsigned int _word(self, unsigned char[::1] data, int place) except? 0xC3A59F1B nogil
    cdef int _short_slot(self, unsigned long long word) except -1 nogil
    cdef int _long_slot(self, unsigned long long word) except -1 nogil
