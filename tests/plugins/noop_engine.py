"""An engine without a program: what is measured with it is what everything around engines costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toy_engine import ToyEngine

from schemas.failure import Failure
from schemas.profile import Site
from schemas.protocols import Calculation
from schemas.result import Result
from schemas.structure import Structure


class NoOpEngine(ToyEngine):
    def resolve(self, structure: Structure, task: str, params: Any, site: Site) -> Any:
        return params

    def programs(self, site: Site) -> tuple[str, ...]:
        return ()

    def diagnose(self, directory: Path) -> None:
        return None

    def compute(self, calculation: Calculation, site: Site) -> Result | Failure:
        return Result(values={"value": 1.0}, program="no-op 1")


plugin = NoOpEngine()
