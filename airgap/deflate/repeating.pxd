cimport cython

from airgap.deflate.corrections cimport CorrectionReader
from airgap.deflate.header cimport Header
from airgap.deflate.model cimport Model
from airgap.deflate.writing cimport BlockWriter

cdef int CONTINUED, CONTINUES, COUNTED, FLIPPED, HEADED, LOOKAHEAD, MAX_ALIAS, MAX_BLOCK_TOKENS
cdef int MAX_EMPTY_BLOCKS, MAX_MATCH
cdef int BAD_CORRECTIONS, ENDED, ENDS_EARLY, FULL, HUNGRY, SOUND, TOKEN_TOO_LONG, TOO_FAR_BACK
cdef int TOO_MANY_EMPTY_BLOCKS
cdef int BLOCK_OUTPUT, OUTPUT

cdef class Repetition:
    cdef public Model model
    cdef public CorrectionReader corrections
    cdef public BlockWriter writer
    cdef Header predicted
    cdef int inside
    cdef int count
    cdef int marks
    cdef int full
    cdef int bytes
    cdef int empty_blocks

    @cython.locals(signal=cython.int)
    cdef int run(self) except -1 nogil
    cdef int _begin(self) except -1 nogil

    @cython.locals(
        ends=cython.int, at_end=cython.bint, token=cython.int, length=cython.int,
        distance=cython.int, written=cython.int,
    )
    cdef int _step(self) except -1 nogil

    cdef int _finish_block(self) except -1 nogil

    @cython.locals(pos=cython.int)
    cdef int _write(self, Header header) except -1 nogil
