"""The page: sections put together into one file that needs nothing beside it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from runner.report.markup import Section
from schemas.errors import UserError

HERE = Path(__file__).parent
COMPRESSION = 6
"""Of gzip's nine; the last three take twice as long and gain a hundredth."""


def page(
    title: str,
    summary: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    data: Mapping[str, Any],
    footer: str,
    version: str,
) -> str:
    """Return the HTML of the page; summary and footer are HTML, the rest is text."""
    everything: dict[str, Any] = {**data, "figures": {}}
    for one in sections:
        everything["figures"] |= one.figures
        everything |= one.data
    return Template((HERE / "page.html").read_text("utf-8")).substitute(
        title=escape(title),
        summary=summary,
        facts="".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts
        ),
        contents="".join(
            f'<li><a href="#{one.anchor}">{escape(one.title)}</a></li>' for one in sections
        ),
        sections="".join(
            f'<section id="{one.anchor}" aria-labelledby="{one.anchor}-title">'
            f'<h2 id="{one.anchor}-title">{escape(one.title)}</h2>{one.body}</section>'
            for one in sections
        ),
        style=(HERE / "style.css").read_text("utf-8"),
        script=(HERE / "report.js").read_text("utf-8"),
        data=packed(json.dumps(everything, separators=(",", ":"), allow_nan=False).encode()),
        plotly=packed(plotly_js()),
        footer=footer,
        version=escape(version),
    )


def packed(content: bytes) -> str:
    """Return bytes as text of a third of their size: gzip (the same every time), base64."""
    return base64.b64encode(gzip.compress(content, COMPRESSION, mtime=0)).decode("ascii")


def plotly_js() -> bytes:
    """Return the JavaScript library that draws the figures, from the package `plotly`.

    Raises
    ------
    UserError
        When the package is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise UserError(
            "the package plotly is not installed, and the figures of a report need it: "
            'pip install "matcampaign[report]"'
        ) from error
    return str(get_plotlyjs()).encode()
