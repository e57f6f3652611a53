"""Tables of plain text, as wide as their content."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence


def table(rows: Sequence[Sequence[str]], *, right: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of a table.

    Args:
        rows: the first one holds the heads.
        right: the heads of the columns that stand at the right, as numbers do.
    """
    heads = rows[0]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        cells = (
            f"{cell:>{width}}" if head in right else f"{cell:<{width}}"
            for cell, width, head in zip(row, widths, heads, strict=True)
        )
        yield "   ".join(cells).rstrip()
