"""The input of pw.x as the text that it is: read, changed, and written with all else kept.

Works for decks of any origin: comments, any case, lengths by `ibrav`, positions in any unit.
Described on https://www.quantum-espresso.org/Doc/INPUT_PW.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fireworks_ext.engines.espresso.bravais import Lattice, lattice_of
from fireworks_ext.engines.espresso.keywords import KEYWORDS, NAMELISTS, Value, split_index
from fireworks_ext.engines.espresso.namelist_text import NamelistText
from fireworks_ext.engines.espresso.units import BOHR_ANG
from schemas.errors import UserError
from schemas.structure import Vector

CARDS = (
    *("ATOMIC_SPECIES", "ATOMIC_POSITIONS", "K_POINTS", "ADDITIONAL_K_POINTS", "CELL_PARAMETERS"),
    *("CONSTRAINTS", "OCCUPATIONS", "ATOMIC_VELOCITIES", "ATOMIC_FORCES", "SOLVENTS", "HUBBARD"),
)
_OPTION = re.compile(r"[({]?\s*([A-Za-z_]*)")
_LENGTHS = ("celldm", "a", "b", "c", "cosab", "cosac", "cosbc")
_SPACE_GROUP = ("space_group", "uniqueb", "origin_choice", "rhombohedral")
_CARTESIAN_MESHES = {"tpiba": "crystal", "tpiba_b": "crystal_b", "tpiba_c": "crystal_c"}
_ANGLES_OF_CELLDM: dict[Value | None, dict[int, str]] = {
    **{ibrav: {4: "cosab"} for ibrav in (5, -5, 12, 13)},
    **{ibrav: {5: "cosac"} for ibrav in (-12, -13)},
    14: {4: "cosbc", 5: "cosac", 6: "cosab"},
}
"""INPUT_PW, ibrav: which angle a `celldm(4..6)` is."""
_FIXED_FROM = 4
"""Columns of ATOMIC_POSITIONS before those that fix coordinates: label, x, y, z."""


_OTHER_PROGRAMS = {"inputph": (), "path": ("nstep_path", "restart_mode")}
"""Namelists of ph.x and neb.x, whose inputs are of the same kind, and their keywords; (): all."""


class PwInput:
    """One deck of pw.x. Keywords are given as in INPUT_PW: `nbnd`, `starting_magnetization(1)`."""

    def __init__(self, text: str) -> None:
        self._namelists = NamelistText(text)

    @classmethod
    def read(cls, path: Path) -> PwInput:
        """Read a deck.

        Raises
        ------
        UserError
            When it cannot be read, or has no namelists.
        """
        try:
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
        deck = cls(text.replace("\r\n", "\n"))
        if not deck._namelists.groups():
            raise UserError(f"{path}: no namelist in it, so it is no input of pw.x")
        return deck

    @property
    def text(self) -> str:
        """The deck as it would be written."""
        return self._namelists.text

    @property
    def calculation(self) -> str:
        """The task that it asks for."""
        return str(self.get("calculation") or "scf")

    def get(self, keyword: str) -> Value | None:
        """Return what a keyword is set to, or None where the deck leaves it to pw.x."""
        return self._namelists.get(keyword)

    def keywords(self) -> tuple[str, ...]:
        """Return every keyword that the deck sets, with its index."""
        return self._namelists.keywords()

    def set(self, keyword: str, value: Value) -> None:
        """Set a keyword, in the namelist where it belongs.

        Raises
        ------
        UserError
            For a keyword that neither pw.x 6.7 nor the deck has.
        """
        name = split_index(keyword)[0]
        known = KEYWORDS.get(name)
        group = self._namelists.group_of(keyword) or (known.namelist if known else None)
        for other, words in _OTHER_PROGRAMS.items():
            if other in self._namelists.groups() and (not words or name in words):
                group = other
        if group is None:
            raise UserError(f"pw.x knows no keyword '{keyword}'")
        if group not in self._namelists.groups():
            before = NAMELISTS[: NAMELISTS.index(group)]
            self._namelists.add_group(group, before)
        self._namelists.set(group, keyword, value)

    def unset(self, keyword: str) -> None:
        """Leave a keyword to pw.x; without an index, all its elements."""
        self._namelists.unset(keyword)

    def write(self, path: Path) -> None:
        """Write the deck in one step: whoever reads it finds the old or the new one whole."""
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(self.text.encode("utf-8", "surrogateescape"))
        beside.replace(path)

    def card(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """Return option (small letters, may be empty) and lines of a card, without comments."""
        found = self._span(name)
        if found is None:
            return None
        head, *body = self.text[found[0] : found[1]].splitlines()
        words = head.split("!")[0].split("#")[0].split(maxsplit=1)
        option = _OPTION.match(words[1]) if len(words) > 1 else None
        kept = (line.split("!")[0].split("#")[0].strip() for line in body)
        return (option[1].lower() if option else ""), tuple(line for line in kept if line)

    def lattice_ang(self) -> Lattice | None:
        """Return the lattice vectors in angstrom, or None where the deck does not tell them."""
        ibrav = self.get("ibrav")
        alat = self._alat_ang()
        if ibrav != 0:
            known = isinstance(ibrav, int) and alat is not None
            return lattice_of(int(ibrav or 0), alat or 0.0, self._ratios()) if known else None
        card = self.card("CELL_PARAMETERS")
        if card is None:
            return None
        option, lines = card
        # Without an option the unit is that of celldm(1) or A, where there is one, else bohr.
        unit = {"bohr": BOHR_ANG, "angstrom": 1.0}.get(option, alat or BOHR_ANG)
        rows = [row for line in lines[:3] if (row := _numbers(line, unit)) is not None]
        return (rows[0], rows[1], rows[2]) if len(rows) == 3 else None  # noqa: PLR2004

    def labels(self) -> tuple[str, ...]:
        """Return the label of each site, in order."""
        card = self.card("ATOMIC_POSITIONS")
        return tuple(line.split()[0] for line in card[1]) if card else ()

    def set_structure(
        self,
        lattice_ang: Sequence[Sequence[float]],
        labels: Sequence[str],
        frac_coords: Sequence[Sequence[float]],
    ) -> None:
        """Put another cell into the deck.

        It is written as CELL_PARAMETERS in angstrom and positions in crystal coordinates; `ibrav`
        becomes 0, and lengths and the space group go. Fixed coordinates stay with their sites, and
        k-points in units of 2 pi / alat become the same ones of the reciprocal lattice, because
        alat is another with the other cell.

        Parameters
        ----------
        lattice_ang
            (3, 3), rows are vectors, in angstrom.
        labels
            (n_atoms,), as in ATOMIC_SPECIES.
        frac_coords
            (n_atoms, 3), in the order of the labels.
        """
        self._keep_kpoints()
        fixed = self._fixed(len(labels))
        for keyword in (*_LENGTHS, *_SPACE_GROUP):
            self.unset(keyword)
        self.set("ibrav", 0)
        self.set("nat", len(labels))
        cell = [" " + " ".join(f"{x:19.14f}" for x in vector) for vector in lattice_ang]
        sites = [
            f"  {label:<3s} " + " ".join(f"{x:21.16f}" for x in position) + fix
            for label, position, fix in zip(labels, frac_coords, fixed, strict=True)
        ]
        self._set_card("CELL_PARAMETERS", "angstrom", cell)
        self._set_card("ATOMIC_POSITIONS", "crystal", sites)

    def set_kpoints(self, option: str, lines: Sequence[str]) -> None:
        """Put other k-points into the deck: the option of the card, and its lines."""
        self._set_card("K_POINTS", option, list(lines))

    def _fixed(self, n_atoms: int) -> list[str]:
        card = self.card("ATOMIC_POSITIONS")
        columns = [line.split()[_FIXED_FROM:] for line in card[1]] if card else []
        if len(columns) != n_atoms:
            return [""] * n_atoms
        return ["".join(f" {word}" for word in words) for words in columns]

    def _keep_kpoints(self) -> None:
        """Turn k-points in units of 2 pi / alat into coordinates of the reciprocal lattice."""
        card, lattice, alat = self.card("K_POINTS"), self.lattice_ang(), self._alat_ang()
        if card is None or lattice is None:
            return
        option, lines = card
        alat = alat or sum(x * x for x in lattice[0]) ** 0.5
        new = _CARTESIAN_MESHES.get(option or "tpiba")
        if new is None or not lines:
            return
        points = [lines[0]]
        for line in lines[1:]:
            words = line.split()
            k = _numbers(line, 1.0)
            if k is None:
                return
            crystal = [sum(x * y for x, y in zip(k, vector, strict=True)) for vector in lattice]
            points.append(" ".join([*(f"{x / alat:.14f}" for x in crystal), *words[3:]]))
        self._set_card("K_POINTS", new, points)

    def _alat_ang(self) -> float | None:
        bohr, angstrom = _number(self.get("celldm(1)")), _number(self.get("a"))
        return bohr * BOHR_ANG if bohr else angstrom or None

    def _ratios(self) -> dict[str, float]:
        if _number(self.get("celldm(1)")):
            ibrav = self.get("ibrav")
            names = {2: "b/a", 3: "c/a"} | _ANGLES_OF_CELLDM.get(ibrav, {})
            found = {name: _number(self.get(f"celldm({n})")) for n, name in names.items()}
        else:
            a = _number(self.get("a")) or 1.0
            found = {name: _number(self.get(name)) for name in ("cosab", "cosac", "cosbc")}
            lengths = {name: _number(self.get(name)) for name in ("b", "c")}
            found |= {f"{name}/a": length / a for name, length in lengths.items() if length}
        return {name: value for name, value in found.items() if value is not None}

    def _span(self, name: str) -> tuple[int, int] | None:
        """Return where a card stands: from its name to the next card, or to the end."""
        at, start = self._namelists.end_of_groups(), None
        for line in self.text[at:].splitlines(keepends=True):
            word = re.match(r"\s*([A-Za-z_]+)", line)
            card = word[1].upper() if word else ""
            if card in CARDS and start is not None:
                return start, at
            if card == name and start is None:
                start = at
            at += len(line)
        return None if start is None else (start, at)

    def _set_card(self, name: str, option: str, lines: list[str]) -> None:
        found = self._span(name) or (len(self.text), len(self.text))
        before, old, after = (
            self.text[: found[0]],
            self.text[found[0] : found[1]],
            self.text[found[1] :],
        )
        # Comments and blank lines below a card mostly speak of the next one: they stay.
        kept: list[str] = []
        for line in reversed(old.splitlines(keepends=True)):
            if line.split("!")[0].split("#")[0].strip():
                break
            kept.insert(0, line)
        if before and not before.endswith("\n"):
            before += "\n"
        block = "\n".join([f"{name} {option}", *lines]) + "\n"
        self._namelists.text = before + block + "".join(kept) + after


def _number(value: Value | None) -> float | None:
    return None if value is None or isinstance(value, (bool, str)) else float(value)


def _numbers(line: str, unit: float) -> Vector | None:
    try:
        x, y, z = (float(word.lower().replace("d", "e")) * unit for word in line.split()[:3])
    except ValueError:
        return None
    return x, y, z
