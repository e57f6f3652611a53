cimport cython

from airgap.deflate.encoders.klauspost_blocks cimport KlauspostBlocks
from airgap.deflate.encoders.klauspost_search cimport KlauspostSearch
from airgap.deflate.header cimport Header

cdef int MAX_STORED
cdef int _PIECE, _REST, _TAIL, _PENALTY, _LAST_QUICK, _FEWEST_SEARCHED, _MOST_STORED
cdef int _STORED, _LITERALS, _TOKENS, _MARK, _END, _EXACT_HEADS

cdef class KlauspostStream(KlauspostBlocks):
    cdef KlauspostSearch _search
    cdef int _expected_pieces
    cdef int _pieces
    cdef int _piece_stop
    cdef int _stop
    cdef int _last
    cdef int _kind
    cdef int _next
    cdef int _ahead
    cdef int _ended

    @cython.locals(size=cython.int)
    cdef int begin_block(self) except -1 nogil

    @cython.locals(size=cython.int, last=cython.int)
    cdef int choose(self, Header header) except -1 nogil

    @cython.locals(start=cython.int)
    cdef int _end_piece(self) except -1 nogil

    cdef int _join_pieces(self) except -1 nogil
    cdef int _lose_track(self) except -1 nogil
    cdef int _cut_short(self) except -1 nogil
