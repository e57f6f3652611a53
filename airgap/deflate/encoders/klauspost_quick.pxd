cimport cython

from airgap.deflate.encoders.klauspost_search cimport KlauspostSearch

cdef int WINDOW
cdef int _SHORTEST, _STEP, _SKIP_SHIFT, _FASTEST
cdef unsigned int _WORD
cdef unsigned long long _FACTOR, _TWO_WORDS

@cython.final
cdef class QuickSearch(KlauspostSearch):
    cdef int _level
    cdef int _shift
    cdef int _slots
    cdef int[::1] _table
    cdef int[::1] _kept

    @cython.locals(slot=cython.int)
    cdef int _lessen(self, int[::1] table, int slots, int less) except -1 nogil

    @cython.locals(
        origin=cython.int, following=cython.int, place=cython.int, length=cython.int,
        word=cython.ulonglong, slot=cython.int, other=cython.int,
    )
    cdef int _search(self, unsigned char[::1] data, int[::1] table, int once) except -1 nogil

    @cython.locals(
        place=cython.int, emit=cython.int, limit=cython.int, origin=cython.int,
        word=cython.ulonglong, slot=cython.int, following=cython.int, other=cython.int,
        coming=cython.ulonglong,
    )
    cdef int _find(self, unsigned char[::1] data, int[::1] table) except? -2 nogil

    @cython.locals(length=cython.int, longest=cython.int, emit=cython.int, floor=cython.int)
    cdef int _take(self, unsigned char[::1] data, int place, int other) except -1 nogil

    @cython.locals(origin=cython.int, word=cython.ulonglong)
    cdef int _index(
        self, unsigned char[::1] data, int[::1] table, int place, int after
    ) except -1 nogil

    @cython.locals(high=cython.ulonglong)
    cdef unsigned long long _load(
        self, unsigned char[::1] data, int place
    ) except? 0xC3A59F1B7D2E4681 nogil
    cdef unsigned int _word(self, unsigned char[::1] data, int place) except? 0xC3A59F1B nogil
    cdef int _slot(self, unsigned long long word) except -1 nogil
