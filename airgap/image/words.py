"""Words of a Dockerfile instruction: quotes, escapes, and ``$VARIABLES``.

Dockerfile reference, "Environment replacement": ``$NAME``, ``${NAME}``, ``${NAME:-default}``,
``${NAME:+alternative}``; a backslash escapes; within single quotes nothing is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(
    r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^{}]*))?\})", re.ASCII
)
_KEY_END = re.compile(r"[\s=]")


def split_words(text: str, variables: Mapping[str, str]) -> list[str]:
    """Split at blanks outside of quotes, and replace variables.

    Raises:
        ValueError: a quote or a ``${`` is not closed.
    """
    return [expand(word, variables) for word in _raw_words(text)]


def split_pairs(text: str, variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Read ``key=value …``, or the older ``key value`` that takes the whole rest as its value.

    Raises:
        ValueError: a key is empty, a pair has no ``=``, or a quote is not closed.
    """
    first = _KEY_END.search(text)
    if first is not None and first[0] != "=":
        key, value = text[: first.start()], text[first.end() :].strip()
        return [(_key(key, variables), expand(value, variables))]
    pairs: list[tuple[str, str]] = []
    for word in _raw_words(text):
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is not of the form key=value")
        pairs.append((_key(key, variables), expand(value, variables)))
    return pairs


def expand(word: str, variables: Mapping[str, str]) -> str:
    """Remove quotes and escapes, and replace variables.

    Raises:
        ValueError: a quote or a ``${`` is not closed.
    """
    plain: list[str] = []
    position, quote = 0, ""
    while position < len(word):
        char = word[position]
        if char == quote:
            quote = ""
        elif char == "'" and not quote:
            quote = "'"
        elif char == '"' and not quote:
            quote = '"'
        elif char == "\\" and quote != "'" and position + 1 < len(word):
            position += 1
            # Within double quotes only these are escaped; any other backslash stays.
            kept = "\\" if quote and word[position] not in '"$\\' else ""
            plain.append(kept + word[position])
        elif char == "$" and quote != "'":
            value, position = _variable(word, position, variables)
            plain.append(value)
            continue
        else:
            plain.append(char)
        position += 1
    if quote:
        raise ValueError(f"a quote {quote} is not closed")
    return "".join(plain)


def _variable(word: str, position: int, variables: Mapping[str, str]) -> tuple[str, int]:
    match = _VARIABLE.match(word, position)
    if match is None:
        if word.startswith("${", position):
            raise ValueError(f"{word[position:][:40]!r} is not a variable")
        return "$", position + 1
    name = match[1] or match[2]
    value = variables.get(name, "")
    if match[3] == "-" and not value:
        value = expand(match[4], variables)
    elif match[3] == "+":
        value = expand(match[4], variables) if value else ""
    return value, match.end()


def _raw_words(text: str) -> list[str]:
    words: list[str] = []
    word, quote, escaped, begun = "", "", False, False
    for char in text:
        if not quote and not escaped and char.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
            continue
        begun = True
        word += char
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
    if begun:
        words.append(word)
    return words


def _key(text: str, variables: Mapping[str, str]) -> str:
    key = expand(text, variables)
    if not key:
        raise ValueError("a name before = is empty")
    return key
