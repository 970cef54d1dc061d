"""What to cite for a campaign: only what it used, found in its file and its results."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from runner.report.markup import Raw, Section, details, paragraph, table
from runner.report.published import Published

NAMES = frozenset({"campaign", "project"})
"""Keys of the file whose values are names that somebody chose."""
BIBLIOGRAPHY = Path(__file__).with_name("citations.bib")
_ENTRY = re.compile(r"^@\w+\{(\w+),.*?^\}$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Use:
    """Something that a campaign may have used, and what is cited for it."""

    what: str
    keys: tuple[str, ...]
    words: tuple[str, ...] = ()
    """Any of these in the campaign file means that it was used, in quotes or as a whole word."""
    engines: tuple[str, ...] = ()


USES = (
    Use("FireWorks (the workflows)", ("fireworks2015",), engines=("*",)),
    Use("custodian and pymatgen (recovery, structures)", ("pymatgen2013",), engines=("*",)),
    Use("Quantum ESPRESSO", ("espresso2009", "espresso2017"), engines=("espresso",)),
    Use("Goedecker-Teter-Hutter pseudopotentials, PBE",
        ("gth1996", "hgh1998", "krack2005", "pbe1996"),
        ("gth-pbe", "gth-pbe-valence"), ("espresso",)),
    Use("PSlibrary pseudopotentials", ("pslibrary2014",),
        ("debian-pbe", "debian-pbesol", "debian-lda"), ("espresso",)),
    Use("the functional PBE", ("pbe1996",), ("debian-pbe",), ("espresso",)),
    Use("the functional PBEsol", ("pbesol2008",), ("debian-pbesol",), ("espresso",)),
    Use("SSSP pseudopotentials", ("sssp2018",), ("sssp.*",), ("espresso",)),
    Use("PseudoDojo pseudopotentials", ("pseudodojo2018",), ("(pseudo)?dojo.*",), ("espresso",)),
    Use("dispersion correction D3", ("dftd3",), ("d3.*",), ("espresso",)),
    Use("paths of high symmetry", ("setyawan2010",), ("bands",), ("espresso",)),
    Use("optimised tetrahedra", ("tetrahedra2014",), ("dos",), ("espresso",)),
    Use("CHGNet", ("chgnet2023",), ("chgnet.*",)),
    Use("SevenNet", ("sevennet2024",), ("sevenn.*",)),
    Use("tolerance factors, ionic radii", ("goldschmidt1926", "shannon1976"),
        ("tolerance-factor",)),
    Use("convex hulls", ("hull2008", "qhull1996"), ("hull",)),
    Use("OPTIMADE", ("optimade2021",), ("optimade",)),
)  # fmt: skip


def section(published: Published) -> Section:
    """Return the list of what to cite, with BibTeX."""
    found = published.rows(
        "SELECT DISTINCT engine FROM results WHERE outcome = 'ok' AND engine <> 'analysis'"
    )
    engines = {row["engine"] for row in found}
    used = uses(published.spec, engines)
    known = bibliography()
    keys = list(dict.fromkeys(key for one in used for key in one.keys))
    rows = [(one.what, Raw("<br>".join(_line(known[key]) for key in one.keys))) for one in used]
    body = ""
    if "rehearsal" in engines:
        body += paragraph(
            "Stages of this campaign were rehearsed: recorded outputs were replayed and nothing "
            "was computed. Their numbers are made up.",
            "warning",
        )
    if rows:
        text = "\n".join(known[key] for key in keys)
        body += paragraph(
            "What this campaign used, as its file and its results say. Pseudopotentials and models "
            "may ask for more; their own pages say so."
        )
        body += table("Please cite", ("used", "reference"), rows)
        body += details("BibTeX", f'<pre tabindex="0" id="bibtex">{escape(text)}</pre>')
    else:
        body += paragraph("Nothing was computed yet, so there is nothing to cite.")
    return Section("cite", "How to cite", body)


def bibliography() -> dict[str, str]:
    """Return the entries of BibTeX by key."""
    text = BIBLIOGRAPHY.read_text("utf-8")
    return {found[1]: found[0] for found in _ENTRY.finditer(text)}


def uses(spec: Mapping[str, Any], engines: Collection[str]) -> list[Use]:
    """Return what a campaign used, from its file and the engines that gave results."""
    words = set(_words({key: part for key, part in spec.items() if key not in NAMES}))
    found = []
    for one in USES:
        engaged = not one.engines or (
            bool(engines) if "*" in one.engines else bool(set(one.engines) & set(engines))
        )
        said = not one.words or any(
            re.fullmatch(pattern, word) for pattern in one.words for word in words
        )
        if engaged and said:
            found.append(one)
    return found


def _words(value: Any) -> list[str]:
    """Return the texts that stand as values anywhere in the file; names given to things do not."""
    if isinstance(value, Mapping):
        return [word for one in value.values() for word in _words(one)]
    if isinstance(value, list):
        return [word for one in value for word in _words(one)]
    return [value.lower()] if isinstance(value, str) else []


def _line(entry: str) -> str:
    """Return an entry as a line of HTML with a link."""
    parts = dict(re.findall(r"(\w+) = \{((?:[^{}]|\{[^{}]*\})*)\}", entry))
    plain = {name: re.sub(r"[{}]", "", value) for name, value in parts.items()}
    author = re.split(r",| and ", plain["author"])[0]
    several = " and " in parts["author"]
    text = (
        f"{author}{' et al.' if several else ''}, {plain['journal']} {plain['volume']}, "
        f"{plain['pages'].split('--')[0]} ({plain['year']})"
    )
    doi = plain["doi"]
    return f'{escape(text)}, <a href="https://doi.org/{escape(doi)}">doi:{escape(doi)}</a>'
