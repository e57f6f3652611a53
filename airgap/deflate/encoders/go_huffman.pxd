cimport cython

cdef int MAX_BITS, MAX_LITERALS, _SYMBOL_BITS, _SYMBOL_MASK, _ROW, _FIRST_GAP, _NOTHING

@cython.final
cdef class GoHuffman:
    cdef int[::1] _order
    cdef int[::1] _weights
    cdef int[::1] _singles
    cdef int _made

    @cython.locals(
        used=cython.int, symbol=cython.int, place=cython.int, levels=cython.int,
        level=cython.int, items=cython.int, singles=cython.int,
    )
    cdef int build(
        self, int[::1] counts, int size, int limit, unsigned char[::1] lengths
    ) except -1 nogil

    @cython.locals(gap=cython.int, place=cython.int, key=cython.int, hole=cython.int)
    cdef int _sort(self, int used) except -1 nogil

    @cython.locals(
        row=cython.int, pair=cython.int, below=cython.int, singles=cython.int, made=cython.int,
        package=cython.int, single=cython.int,
    )
    cdef int _merge(self, int level, int used) except -1 nogil
