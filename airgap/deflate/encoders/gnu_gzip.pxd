cimport cython

from airgap.deflate.encoders.zlib_plain cimport Zlib

cdef int MAX_DISTANCES, MAX_MATCH, MIN_MATCH, WINDOW
cdef int _FAR, _LOOKAHEAD, _MAX_DISTANCE, _TOKENS_A_GUESS, _TOO_FAR

cdef class GnuGzip(Zlib):
    cdef int guesses
    cdef int sealed
    cdef int first

    @cython.locals(bits=cython.int, symbol=cython.int, read=cython.int, few=cython.bint)
    cdef int pays(self) except -1 nogil

    cdef int seal(self, int stands) except -1 nogil

    @cython.locals(
        room=cython.int, depth=cython.int, limit=cython.int, best=cython.int, found=cython.int,
        place=cython.int, length=cython.int,
    )
    cdef int find_late(self, int position, int least) except -1 nogil

    cdef int byte_at(self, int position) except -1 nogil
