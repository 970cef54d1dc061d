"""The databases that have a name of their own here: address, manners, and what to cite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from schemas.errors import suggestion

PAGE_ENTRIES = 100
"""Entries asked for at a time; a server that gives fewer is taken as it is."""
PAUSE_S = 0.2
"""Least time between two requests to one database, where it does not ask for more."""


def _publication(authors: str, journal: str, doi: str) -> str:
    return f"{authors}, {journal}, https://doi.org/{doi}"


OPTIMADE_CITATIONS = (
    _publication("Andersen et al.", "Sci. Data 8, 217 (2021)", "10.1038/s41597-021-00974-z"),
    _publication("Evans et al.", "Digit. Discov. 3, 1509 (2024)", "10.1039/D4DD00039K"),
)
"""The interface itself, which its makers ask to be cited beside the database."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One database; `label` starts the names of its files in the cache."""

    key: str
    name: str
    base_url: str
    label: str
    citations: tuple[str, ...] = ()
    licence: str | None = None
    """Where the database publishes one; what its own /info says goes first."""
    page_entries: int = PAGE_ENTRIES
    pause_s: float = PAUSE_S


def _known(
    key: str,
    name: str,
    base_url: str,
    citations: tuple[str, ...],
    *,
    licence: str | None = None,
    page_entries: int = PAGE_ENTRIES,
    pause_s: float = PAUSE_S,
) -> Provider:
    return Provider(key, name, base_url, key, citations, licence, page_entries, pause_s)


# Addresses: the children that https://providers.optimade.org lists for each provider.
PROVIDERS = {
    provider.key: provider
    for provider in (
        _known(
            "mp",
            "Materials Project",
            "https://optimade.materialsproject.org",
            (_publication("Jain et al.", "APL Mater. 1, 011002 (2013)", "10.1063/1.4812323"),),
            licence="CC-BY-4.0",
        ),
        _known(
            "oqmd",
            "Open Quantum Materials Database",
            "https://oqmd.org/optimade",
            (
                _publication("Saal et al.", "JOM 65, 1501 (2013)", "10.1007/s11837-013-0755-4"),
                _publication(
                    "Kirklin et al.",
                    "npj Comput. Mater. 1, 15010 (2015)",
                    "10.1038/npjcompumats.2015.10",
                ),
            ),
            licence="CC-BY-4.0",
        ),
        _known(
            "aflow",
            "AFLOW",
            "https://aflow.org/API/optimade",
            (
                _publication(
                    "Curtarolo et al.",
                    "Comput. Mater. Sci. 58, 227 (2012)",
                    "10.1016/j.commatsci.2012.02.002",
                ),
                _publication(
                    "Esters et al.",
                    "Comput. Mater. Sci. 216, 111808 (2023)",
                    "10.1016/j.commatsci.2022.111808",
                ),
            ),
            page_entries=10,  # the most that it gives: prefetched.json of npm's optimade 2.1.0
        ),
        _known(
            "jarvis",
            "JARVIS-DFT",
            "https://jarvis.nist.gov/optimade/jarvisdft",
            (
                _publication(
                    "Choudhary et al.",
                    "npj Comput. Mater. 6, 173 (2020)",
                    "10.1038/s41524-020-00440-1",
                ),
            ),
        ),
        _known(
            "cod",
            "Crystallography Open Database",
            "https://www.crystallography.net/cod/optimade",
            (
                _publication(
                    "Gražulis et al.",
                    "J. Appl. Cryst. 42, 726 (2009)",
                    "10.1107/S0021889809016690",
                ),
                _publication(
                    "Gražulis et al.", "Nucleic Acids Res. 40, D420 (2012)", "10.1093/nar/gkr900"
                ),
            ),
            licence="CC0-1.0",
            # Its maintainers: 10 entries with sites at a time, half a second between requests,
            # http://lists.crystallography.net/pipermail/cod-bugs/Week-of-Mon-20240401/000528.html
            page_entries=10,
            pause_s=0.5,
        ),
    )
}

_VERSION = re.compile(r"/v\d+(\.\d+){0,2}$")


def provider_problem(text: str) -> str | None:
    """Return what is wrong with a name or a base URL, or None."""
    if text in PROVIDERS:
        return None
    if "://" not in text:
        near = suggestion(text, tuple(PROVIDERS))
        return f"no database '{text}'{near}; or give a base URL, https://..."
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"'{text}' is no URL: {error}"
    problem = None
    if parts.scheme not in {"http", "https"} or not host:
        problem = f"expected a base URL https://host/..., found '{text}'"
    elif parts.username or parts.password:
        problem = "a base URL holds no user or password: campaign files are passed on"
    elif parts.query or parts.fragment:
        problem = "expected the base URL alone, without ? or #: what is asked stands in `filter`"
    return problem


def provider_of(text: str) -> Provider:
    """Return the database of a name, or of a base URL (about which nothing else is known)."""
    if text in PROVIDERS:
        return PROVIDERS[text]
    url = text.rstrip("/")
    label = re.sub(r"[^a-z0-9]+", "-", url.partition("://")[2].lower()).strip("-")
    return Provider(key=url, name=url, base_url=url, label=label[:60])


def versioned(base_url: str) -> str:
    """Return the base URL with the version that is spoken here, v1, unless it names one.

    OPTIMADE 1.2.0, "Base URL": every server answers below /v1.
    """
    url = base_url.rstrip("/").removesuffix("/structures")
    return url if _VERSION.search(url) else f"{url}/v1"
