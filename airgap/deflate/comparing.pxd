cimport cython

from airgap.deflate.corrections cimport Corrections
from airgap.deflate.header cimport Header
from airgap.deflate.model cimport Model
from airgap.deflate.tokens cimport TokenQueue

cdef int CONTINUED, ENDS, LOOKAHEAD, MAX_ALIAS, MAX_BLOCK_TOKENS, MAX_EMPTY_BLOCKS, MAX_MATCH
cdef int MIN_MATCH, STORED
cdef int FULL, HUNGRY

cdef class Comparison:
    cdef public TokenQueue tokens
    cdef public Model model
    cdef public Corrections corrections
    cdef Header header
    cdef Header predicted
    cdef int inside
    cdef int count
    cdef int counted
    cdef int part
    cdef int full
    cdef int stored_left
    cdef int empty_blocks

    cdef int run(self) except -1 nogil
    cdef int _begin(self) except -1 nogil
    cdef int _begin_part(self) except -1 nogil

    @cython.locals(ends=cython.int)
    cdef int _ends(self) except -1 nogil

    @cython.locals(word=cython.int, ends=cython.int, full=cython.int, predicted=cython.int)
    cdef int _step(self) except -1 nogil

    @cython.locals(ends=cython.int, predicted=cython.int, distance=cython.int, word=cython.int)
    cdef int _step_stored(self) except -1 nogil

    cdef int _finish_part(self) except -1 nogil
