from airgap.deflate.comparing cimport Comparison
from airgap.deflate.inflating cimport Inflater
from airgap.deflate.repeating cimport Repetition

cpdef int inflate(Inflater inflater) except -1

cpdef int compare(Comparison comparison) except -1

cpdef int repeat(Repetition repetition) except -1
