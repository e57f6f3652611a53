"""A bar chart as SVG, readable in light and dark: for figures in the docs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_WIDTH, _LABEL, _ROW, _BAR = 720, 240, 26, 16
_STYLE = (
    "text{font:13px sans-serif;fill:#24292f}.title{font-weight:bold}"
    ".bar{fill:#2f6f9f}.bound{fill:#9aa5b1}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#6cb0e0}.bound{fill:#5d6875}}"
)


def bars(title: str, rows: Sequence[tuple[str, float, bool]], unit: str) -> str:
    """Draw one bar a row.

    Args:
        title: what is shown.
        rows: label, value, and whether the bar is ours rather than something to compare with.
        unit: of the values.
    """
    largest = max(value for _, value, _ in rows)
    scale = (_WIDTH - _LABEL - 110) / largest
    height = _ROW * (len(rows) + 1) + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(title)}</text>',
    ]
    for number, (label, value, ours) in enumerate(rows, 1):
        top = _ROW * number + 8
        kind = "bar" if ours else "bound"
        width = max(value * scale, 1)
        lines += [
            f'<text x="{_LABEL - 10}" y="{top + 13}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="{kind}" x="{_LABEL}" y="{top}" width="{width:.1f}" height="{_BAR}"/>',
            f'<text x="{_LABEL + width + 8:.1f}" y="{top + 13}">{value:.1f} {unit}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
