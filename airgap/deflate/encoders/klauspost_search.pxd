cimport cython

cdef int CAPACITY, MAX_MATCH, MAX_STORED, MIN_MATCH, WINDOW
cdef int _MARGIN, _FEWEST, _WHOLE_MATCHES, _FIRST_ORIGIN, _LAST_ORIGIN, _EVERY_MARK

cdef class KlauspostSearch:
    cdef public unsigned char[::1] data
    cdef public int[::1] tokens
    cdef public int found
    cdef public int place
    cdef public int emit
    cdef public int stop
    cdef public int limit
    cdef public int floor
    cdef public int origin
    cdef public int repeat
    cdef public int known
    cdef int _longest

    cdef int slide(self, int distance) except -1 nogil
    cdef int forget(self, int place) except -1 nogil
    cdef int begin(self, int start, int stop) except -1 nogil
    cdef int run(self) except -1 nogil
    cdef int go_on(self, int place) except -1 nogil
    cdef int catch_up(self, int place) except -1 nogil
    @cython.locals(found=cython.int, part=cython.int)
    cdef int add(self, int[::1] tokens, int literals, int length, int distance) except -1 nogil
    cdef int emit_rest(self) except -1 nogil
    cdef int search(self, int once) except -1 nogil
    cdef int renumber(self, int less) except -1 nogil
    cdef int keep(self) except -1 nogil
    cdef int go_back(self) except -1 nogil
