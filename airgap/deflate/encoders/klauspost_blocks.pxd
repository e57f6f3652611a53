cimport cython

from airgap.deflate.encoders.go_blocks cimport GoBlocks
from airgap.deflate.header cimport Header

cdef int CODE_LENGTH_CODES, CONTINUED, DYNAMIC, END_OF_BLOCK, FIXED, MAX_DISTANCES, MAX_LITERALS
cdef int MAX_STORED, STORED
cdef int _MAX_BITS, _MAX_RUN_BITS, _FEWEST_CODES, _FEW_TOKENS, _HEAD_GUESS, _MEASURED, _IMPOSSIBLE
cdef double _END_BITS

cdef class KlauspostBlocks(GoBlocks):
    cdef int _penalty
    cdef int _exact
    cdef int _reusable
    cdef int _literals_only
    cdef unsigned char[::1] _new_lengths
    cdef float[::1] _single

    cdef int forget_codes(self) except -1 nogil

    @cython.locals(
        tokens=cython.int, estimate=cython.int, literals=cython.int, distances=cython.int,
        extra=cython.int, stored=cython.int, size=cython.int, head=cython.int, fixed=cython.int,
    )
    cdef int choose_for_tokens(self, Header header, int last) except -1 nogil

    @cython.locals(estimate=cython.int, symbol=cython.int)
    cdef int choose_for_literals(self, Header header, int last) except -1 nogil

    cdef int choose_stored(self, Header header) except -1 nogil
    cdef int choose_end(self, Header header) except -1 nogil

    cdef int storable(self) except -1 nogil

    @cython.locals(size=cython.int)
    cdef int _stored_bits(self) except -1 nogil

    @cython.locals(symbol=cython.int)
    cdef int _codes_suffice(self) except -1 nogil

    @cython.locals(literals=cython.int)
    cdef int _used_literals(self) except -1 nogil

    @cython.locals(distances=cython.int)
    cdef int _used_distances(self) except -1 nogil

    @cython.locals(bits=cython.int, symbol=cython.int)
    cdef int _coded_bits(self) except -1 nogil

    @cython.locals(bits=cython.int, symbol=cython.int)
    cdef int _literal_bits(self) except -1 nogil

    @cython.locals(
        size=cython.int, total=cython.longlong, away=cython.longlong, symbol=cython.int,
        limit=cython.longlong,
    )
    cdef int _is_noise(self) except -1 nogil

    @cython.locals(symbol=cython.int, codes=cython.int, bits=cython.int)
    cdef int _write_head(self, Header header, int literals, int distances) except -1 nogil

    @cython.locals(
        single=cython.float[::1], extra=cython.int, matches=cython.int, symbol=cython.int,
        count=cython.int, bits=cython.int,
    )
    cdef int _entropy(self, int tokens) except -1 nogil

    @cython.locals(mantissa=cython.double, exponent=cython.double, bits=cython.double)
    cdef int _add_entropy(self, float[::1] single, int count) except -1 nogil
