"""Where and with what a campaign runs: flag > environment > profile > `run:` > settings.yaml."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from runner.plugins import check_launcher
from runner.validation import check
from schemas import location
from schemas.document import read_file
from schemas.errors import UserError, suggestion
from schemas.profile import Code, Paths, Profile, Site
from schemas.store_address import StoreAddress

APPLICATION = "matcampaign"
FLAG = "--store"
_IS_PATH = re.compile(r"[/\\]|\.ya?ml$")


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the default store: MATCAMPAIGN_DATA_DIR or the user's data folder."""
    if given := environ.get("MATCAMPAIGN_DATA_DIR"):
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path(APPLICATION)


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of settings.yaml and profiles/: MATCAMPAIGN_CONFIG_DIR or the user's."""
    if given := environ.get("MATCAMPAIGN_CONFIG_DIR"):
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path(APPLICATION)


def settings(
    run: Profile | None = None,
    *,
    folder: Path,
    environ: Mapping[str, str],
    profile: str | None = None,
    store: str | None = None,
    here: Path | None = None,
) -> Profile:
    """Return the settings in force: every path absolute, store and artefacts filled in.

    Parameters
    ----------
    run
        The `run:` block of the campaign file.
    folder
        The folder of the campaign file, where the paths in `run` start.
    profile
        Name of a profile, or path of a file of that shape; else MATCAMPAIGN_PROFILE is used.
    store
        The store that a flag of the command line names.
    here
        Where relative paths of flags and environment start; the working directory by default.

    Folders of pseudopotentials add up, searched from the highest precedence down; a program's
    settings and the launcher's are taken whole from the highest place that has them.

    Raises
    ------
    UserError
        For a profile that is not there; InvalidFile for mistakes in the files.
    """
    here = here or Path.cwd()
    name = profile or environ.get("MATCAMPAIGN_PROFILE") or None
    layers = [
        _environment(environ, here),
        _named(name, environ, here) if name else Profile(),
        _absolute(run or Profile(), folder),
        _user_settings(environ),
    ]
    joined = Profile()
    for layer in reversed(layers):
        joined = _over(joined, layer)
    if store:
        joined = joined.model_copy(update={"store": _store(store, here, FLAG)})
    return _filled(joined, data_folder(environ))


def site(profile: Profile) -> Site:
    """Return the part of settings that workers see."""
    return Site(
        codes=profile.codes,
        pseudopotentials=profile.paths.pseudopotentials,
        usd_per_core_hour=profile.usd_per_core_hour,
    )


def read_profile(path: Path) -> Profile:
    """Return the profile in a file, its paths absolute.

    Raises
    ------
    InvalidFile
        With every mistake of the file.
    """
    document, _ = read_file(path)
    profile = check(Profile, document.data)
    launcher = document.data.get("launcher")
    document.check([*profile.problems, *check_launcher(launcher, ("launcher",))])
    return _absolute(profile.value or Profile(), path.absolute().parent)


def _user_settings(environ: Mapping[str, str]) -> Profile:
    path = config_folder(environ) / "settings.yaml"
    return read_profile(path) if path.exists() else Profile()


def _named(name: str, environ: Mapping[str, str], here: Path) -> Profile:
    if _IS_PATH.search(name):
        return read_profile(here / Path(name).expanduser())
    folder = config_folder(environ) / "profiles"
    path = folder / f"{name}.yaml"
    if path.exists():
        return read_profile(path)
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    raise UserError(f"no profile '{name}' in {folder}{suggestion(name, known)}")


def _environment(environ: Mapping[str, str], here: Path) -> Profile:
    folders = environ.get("MATCAMPAIGN_PSEUDOPOTENTIALS", "").split(os.pathsep)
    artefacts = environ.get("MATCAMPAIGN_ARTEFACTS")
    paths: dict[str, object] = {}
    if any(folders):
        paths["pseudopotentials"] = tuple(_path(Path(part), here) for part in folders if part)
    if artefacts:
        paths["artefacts"] = _path(Path(artefacts), here)
    profile = Profile(paths=Paths.model_validate(paths)) if paths else Profile()
    if not environ.get("MATCAMPAIGN_STORE"):
        return profile
    # The environment is no file that is shared: here an address may hold a password. It stays
    # there; whoever connects looks it up.
    store = _store(environ["MATCAMPAIGN_STORE"], here, "MATCAMPAIGN_STORE")
    return profile.model_copy(update={"store": store})


def _path(path: Path, folder: Path) -> Path:
    return Path(os.path.normpath(folder.absolute() / path.expanduser()))


def _store(store: str | StoreAddress, folder: Path, where: str = "store") -> str:
    """Return a store's location in one line, with absolute paths and without a password."""
    text = store if isinstance(store, str) else store.location
    if location.is_embedded(text):
        return str(_path(Path(text), folder))
    try:
        server = location.parse(text)
    except ValueError as error:
        raise UserError(f"{where}: expected {error}") from None
    if server.password and where == FLAG:
        raise UserError(
            f"{FLAG}: expected an address without a password: others see the command lines of this "
            "machine; give MATCAMPAIGN_STORE in the environment instead"
        )
    return location.absolute(server, folder).text


def _absolute(profile: Profile, folder: Path) -> Profile:
    """Return the profile with the paths that start at the folder of its file made absolute."""
    changes: dict[str, object] = {}
    if profile.store is not None:
        changes["store"] = _store(profile.store, folder)
    if "paths" in profile.model_fields_set:
        given = profile.paths
        paths: dict[str, object] = {}
        if given.pseudopotentials:
            paths["pseudopotentials"] = tuple(_path(p, folder) for p in given.pseudopotentials)
        if given.artefacts is not None:
            paths["artefacts"] = _path(given.artefacts, folder)
        changes["paths"] = given.model_copy(update=paths)
    if profile.codes:
        changes["codes"] = {name: _code(code, folder) for name, code in profile.codes.items()}
    return profile.model_copy(update=changes)


def _code(code: Code, folder: Path) -> Code:
    if "/" not in code.command:
        return code  # a name that is looked for on PATH
    return code.model_copy(update={"command": str(_path(Path(code.command), folder))})


def _over(lower: Profile, upper: Profile) -> Profile:
    """Return `upper` over `lower`: what upper says precedes, what it does not say stays."""
    changes: dict[str, object] = {}
    if "launcher" in upper.model_fields_set:
        changes["launcher"] = upper.launcher
    if upper.codes:
        changes["codes"] = {**lower.codes, **upper.codes}
    if upper.store is not None:
        changes["store"] = upper.store
    if upper.window is not None:
        changes["window"] = upper.window
    if upper.usd_per_core_hour is not None:
        changes["usd_per_core_hour"] = upper.usd_per_core_hour
    if "paths" in upper.model_fields_set:
        folders = (*upper.paths.pseudopotentials, *lower.paths.pseudopotentials)
        changes["paths"] = Paths(
            pseudopotentials=tuple(dict.fromkeys(folders)),
            artefacts=upper.paths.artefacts or lower.paths.artefacts,
        )
    return lower.model_copy(update=changes)


def _filled(profile: Profile, data: Path) -> Profile:
    """Return the profile with a store, and with artefacts beside it where it is a file."""
    store = str(profile.store or data / "store.db")
    beside = Path(store).parent if location.is_embedded(store) else data
    artefacts = profile.paths.artefacts or beside / "artefacts"
    paths = profile.paths.model_copy(update={"artefacts": artefacts})
    return profile.model_copy(update={"store": store, "paths": paths})
