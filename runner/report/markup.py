"""The HTML that sections are made of: escaped text, tables, figures, and what folds away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any, TypeAlias

Figure: TypeAlias = Mapping[str, Any]
"""A figure as Plotly takes it: {data, layout}."""

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = (
    "#0072b2", "#d55e00", "#00795b", "#b3261e", "#8f4a80", "#6b7280",
)  # fmt: skip
"""Told apart by the colour-blind (after Okabe and Ito), dark enough to be read on white."""
SMALLEST_FIXED, LARGEST_FIXED = 1e-3, 1e5
"""Numbers outside are written with an exponent."""
NOTHING = "\N{EN DASH}"
LONG_TEXT = 30
"""Characters from which on a cell asks for room."""


@dataclass(frozen=True)
class Raw:
    """A cell that is HTML already."""

    html: str


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    anchor: str
    title: str
    body: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    """What scripts of the page draw from, by name."""


def number(value: float | None, digits: int = 4) -> str:
    """Return a number for people: so many significant digits, thousands parted."""
    if value is None:
        return NOTHING
    if isinstance(value, int):
        return f"{value:,}"
    if value and not SMALLEST_FIXED <= abs(value) < LARGEST_FIXED:
        return f"{value:.{digits - 1}e}".replace("-", "\N{MINUS SIGN}")
    return f"{value:,.{digits}g}".replace("-", "\N{MINUS SIGN}")


def shown(value: object) -> str:
    """Return a cell as HTML."""
    if isinstance(value, Raw):
        return value.html
    if value is None:
        return f'<span class="none">{NOTHING}</span>'
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return escape(str(value))


def table(
    caption: str, headers: Sequence[str], rows: Iterable[Sequence[object]], *, anchor: str = ""
) -> str:
    """Return a table whose first column names its rows; numbers stand on the right.

    It scrolls sideways by itself where the window is narrow, also from the keyboard.
    """
    listed = [tuple(row) for row in rows]
    numeric = [any(_is_number(row[at]) for row in listed) for at in range(len(headers))]
    head = "".join(
        f'<th scope="col"{" class=n" if right else ""}>{escape(one)}</th>'
        for one, right in zip(headers, numeric, strict=True)
    )
    body = "".join(f"<tr>{_cells(row, numeric)}</tr>" for row in listed)
    named = f' id="{escape(anchor)}"' if anchor else ""
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table{named}><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cells(row: Sequence[object], numeric: Sequence[bool]) -> str:
    cells = [f'<th scope="row">{shown(row[0])}</th>']
    for value, right in zip(row[1:], numeric[1:], strict=True):
        text = shown(value)
        style = " class=n" if right else " class=t" if len(text) > LONG_TEXT else ""
        cells.append(f"<td{style}>{text}</td>")
    return "".join(cells)


def figure(name: str, caption: str, alternative: str = "") -> str:
    """Return the place of a figure; `alternative` is the HTML that says the same in text."""
    folded = details("The same as a table", alternative) if alternative else ""
    return (
        f'<figure aria-labelledby="{name}-caption"><div class="plot" data-figure="{name}"></div>'
        f'<figcaption id="{name}-caption">{escape(caption)}</figcaption></figure>{folded}'
    )


def details(summary: str, body: str) -> str:
    """Return what folds away under a line; it is printed unfolded."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph."""
    return f"<p{f' class={style}' if style else ''}>{escape(text)}</p>"


def layout(**settings: Any) -> dict[str, Any]:
    """Return the layout of a figure, with what all have alike."""
    return {
        "font": {"family": "system-ui, sans-serif", "size": 14, "color": "#1f2933"},
        "margin": {"l": 64, "r": 16, "t": 16, "b": 56},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "height": 380,
        **settings,
    }
