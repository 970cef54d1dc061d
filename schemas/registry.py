"""Finds plug-ins by file name, or by entry point from another distribution.

A plug-in is one module or package that binds `plugin`. The file `charge_neutral.py` is
`charge-neutral` in a campaign file. Looking for names imports nothing; `get` imports one plug-in.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Generic, TypeVar

from schemas.errors import UserError, suggestion
from schemas.protocols import Analysis, Engine, Generator, Launcher, Score


class UnknownPlugin(UserError):
    """A name that no file and no entry point provides."""


Plugin = TypeVar("Plugin")


class Registry(Generic[Plugin]):
    """The plug-ins of one kind."""

    def __init__(self, *, kind: str, package: str, group: str) -> None:
        self.kind = kind
        self._package = package
        self._group = group

    @cache  # noqa: B019  (registries live as long as the process)
    def _modules(self) -> dict[str, str]:
        spec = find_spec(self._package)
        folders = spec.submodule_search_locations if spec else None
        return {
            module.name.replace("_", "-"): f"{self._package}.{module.name}"
            for module in iter_modules(folders or [])
            if not module.name.startswith("_")
        }

    @cache  # noqa: B019  (as above)
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self._group)}

    def names(self) -> tuple[str, ...]:
        """Return the names of all plug-ins of this kind, sorted."""
        return tuple(sorted({*self._modules(), *self._entry_points()}))

    @cache  # noqa: B019  (as above)
    def get(self, name: str) -> Plugin:
        """Return the plug-in of that name.

        Raises
        ------
        UnknownPlugin
            When there is none; the message names the nearest.
        """
        if name in self._modules():
            return import_module(self._modules()[name]).plugin  # type: ignore[no-any-return]  # plug-ins are found by name
        if name in self._entry_points():
            return self._entry_points()[name].load()  # type: ignore[no-any-return]  # as above
        raise UnknownPlugin(f"no {self.kind} '{name}'{suggestion(name, self.names())}")


generators: Registry[Generator] = Registry(
    kind="generator", package="runner.space", group="matcampaign.generators"
)
scores: Registry[Score] = Registry(
    kind="score", package="runner.filters", group="matcampaign.scores"
)
engines: Registry[Engine] = Registry(
    kind="engine", package="fireworks_ext.engines", group="matcampaign.engines"
)
analyses: Registry[Analysis] = Registry(
    kind="analysis", package="runner.analyses", group="matcampaign.analyses"
)
launchers: Registry[Launcher] = Registry(
    kind="launcher", package="launchers", group="matcampaign.launchers"
)
