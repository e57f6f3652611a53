"""Numbers of the deflate format (RFC 1951) and of the coder's buffers.

They stand in a module that is never compiled: a compiled one takes them over into C variables that
its ``.pxd`` declares, where no Python code could see them.
"""

from __future__ import annotations

STORED = 0
"""A block that holds its bytes as they are (BTYPE 00)."""

FIXED = 1
"""A block coded with the codes of RFC 1951, section 3.2.6 (BTYPE 01)."""

DYNAMIC = 2
"""A block that brings its own codes (BTYPE 10)."""

CONTINUED = 3
"""No new block: its tokens go on under the codes of the block before, with no end between."""

END_OF_BLOCK = 256
MAX_LITERALS = 286
MAX_DISTANCES = 30
CODE_LENGTH_CODES = 19
MAX_CODE_LENGTH = 15
MAX_RUNS = MAX_LITERALS + MAX_DISTANCES

REPEAT = 16
ZEROS = 17
MANY_ZEROS = 18
"""Run symbols (section 3.2.7): the length before again, a few zeros, more zeros."""

MIN_MATCH = 3
MAX_MATCH = 258

WINDOW = 1 << 15
"""Bytes: how far back a match may reach (RFC 1951, section 2)."""

LOOKAHEAD = 1 << 17
"""Bytes that lie ahead of a model whenever it is asked, unless the stream ends before."""

CAPACITY = 1 << 20
"""Bytes of the buffer that slides over the plain bytes."""

MAX_STORED = 65_535
"""Bytes of a stored block at most (RFC 1951, section 3.2.4)."""

HISTORY = WINDOW + MAX_STORED + 1
"""Bytes that stay in the buffer behind a model: a window, and a stored block to be written yet."""

QUEUE = 1 << 19
"""Words (tokens, and what describes blocks) between the inflater and who compares them."""

BEGINS = -1
"""A word of the queue: a block begins, its head follows, and its size if it is a stored one."""

ENDS = -2
"""A word of the queue: a block ends."""

HEAD_WORDS = 400
"""More words than the marks and the head of a block take."""

MAX_ALIAS = 259
"""As the length of a token: 258 bytes, written by the code of 227 to 257 and 31 added to it."""

MAX_BLOCK_TOKENS = 1 << 16
"""Tokens after which a longer block is cut: what follows is CONTINUED."""

OUTPUT = 1 << 20
"""Bytes that a writer of blocks holds before they must be taken."""

BLOCK_OUTPUT = 1 << 19
"""More bytes than a head and MAX_BLOCK_TOKENS tokens, or a stored block, are written as."""

MAX_EMPTY_BLOCKS = 16
"""Blocks of no token in a row that a model may predict; any further one needs a correction, so that
a stream is never longer than its plain bytes and its recipe explain."""

COUNTED = 1
HEADED = 2
CONTINUES = 4
FLIPPED = 8
"""What a correction of a block says: how many tokens it has, what its head is, that it is
CONTINUED, that it is the last one where it was not to be, or is not where it was to be."""
