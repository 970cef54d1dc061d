"""A model for tests: bonds of unlike atoms lower the energy, compression and stretching raise it.

It takes the place of real models behind `runner.ml.energies` and counts what it is asked.
"""

from collections.abc import Sequence
from typing import Any

from runner.crystal.elements import ATOMIC_NUMBERS, element
from runner.ml.energies import ModelEnergy
from schemas.errors import UserError
from schemas.structure import Structure

NAME = "toy-1"
BROKEN = "Hg"
"""The toy has no energy of cells with this element."""


class Toy:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sha256 = "0" * 64

    def method_key(self, model: str) -> str:
        if model != NAME:
            raise UserError(f"no model '{model}'; known: {NAME}")
        return NAME

    def weights(self) -> dict[str, str]:
        return {"toy": self.sha256}

    def energies(
        self, model: str, structures: Sequence[Structure], *, relax: bool, device: str
    ) -> list[ModelEnergy]:
        assert model == NAME
        self.asked += [structure.formula for structure in structures]
        return [energy(structure, relax=relax) for structure in structures]


def energy(structure: Structure, *, relax: bool) -> ModelEnergy:
    if BROKEN in structure.species:
        return ModelEnergy(None, f"no parameters of {BROKEN}")
    values = [element(symbol).electronegativity or 0.0 for symbol in structure.species]
    mean = sum(values) / len(values)
    alone = sum(-0.05 * ATOMIC_NUMBERS[symbol] for symbol in structure.species) / len(values)
    ionic = sum((value - mean) ** 2 for value in values) / len(values)
    strain = 0.0 if relax else (structure.volume_ang3 / structure.n_atoms / 15.0 - 1.0) ** 2
    return ModelEnergy(alone - ionic + strain)


def put_in(monkeypatch: Any) -> Toy:
    toy = Toy()
    monkeypatch.setattr("runner.ml.registry.get", lambda _: toy)
    monkeypatch.setattr("runner.ml.energies.method_key", toy.method_key)
    monkeypatch.setattr("runner.ml.energies.energies", toy.energies)
    return toy
