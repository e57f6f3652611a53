"""What the loops of the coder answer: how far they came, or what is wrong.

They stand in a module that is never compiled, as those of ``format.py`` do.
"""

from __future__ import annotations

# How far a loop came.

HUNGRY = 0
"""It has used all that it was given."""

FULL = 1
"""Its output must be taken before it goes on."""

CROWDED = 2
"""Its queue must be emptied before it goes on."""

ENDED = 3
"""The stream is at its end."""

SOUND = 4
"""A part of it was read whole, and nothing is wrong with it."""

# What is wrong: every number from 16 on is a fault.

FAULT = 16

BAD_KIND = 16
BAD_STORED_SIZE = 17
TOO_MANY_CODES = 18
BAD_CODE_LENGTHS = 19
BAD_RUN = 20
NO_END_CODE = 21
BAD_LITERAL_CODE = 22
BAD_DISTANCE_CODE = 23
BAD_SYMBOL = 24
TOO_FAR_BACK = 25
BAD_PADDING = 26
NO_CODE = 27
NOTHING_TO_CONTINUE = 28
STORED_TOO_LONG = 29
TOKEN_TOO_LONG = 30
TOO_MANY_EMPTY_BLOCKS = 31
BLOCK_TOO_LONG = 32
ENDS_EARLY = 33
BAD_CORRECTIONS = 34

WORDS = {
    BAD_KIND: "a block of a reserved type",
    BAD_STORED_SIZE: "a stored block whose size and its complement differ",
    TOO_MANY_CODES: "more literal or distance codes than there are",
    BAD_CODE_LENGTHS: "a code of code lengths that is incomplete or oversubscribed",
    BAD_RUN: "a run of code lengths from nothing or beyond the last",
    NO_END_CODE: "no code for the end of the block",
    BAD_LITERAL_CODE: "a literal code that is incomplete or oversubscribed",
    BAD_DISTANCE_CODE: "a distance code that is incomplete or oversubscribed",
    BAD_SYMBOL: "a symbol that has no meaning",
    TOO_FAR_BACK: "a distance beyond the start or the window",
    BAD_PADDING: "more padding bits than there is room for",
    NO_CODE: "a token that the block's codes do not have",
    NOTHING_TO_CONTINUE: "a continuation of no coded block",
    STORED_TOO_LONG: "a stored block of more than 65,535 bytes",
    TOKEN_TOO_LONG: "a token beyond the last plain byte",
    TOO_MANY_EMPTY_BLOCKS: "empty blocks without end",
    BLOCK_TOO_LONG: "a block of too many tokens",
    ENDS_EARLY: "a last block before the last plain byte",
    BAD_CORRECTIONS: "corrections that end too early or are not numbers",
}
"""Each fault in words, as part of an error's text."""
