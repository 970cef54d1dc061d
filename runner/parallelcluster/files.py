"""The files that settings become: configuration, bootstrap script, profiles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner.parallelcluster.configuration import text
from runner.parallelcluster.machines import cores_per_node, memory_per_node_gb
from runner.parallelcluster.profiles import profiles
from runner.parallelcluster.settings import Capacity, ClusterSettings
from runner.parallelcluster.settings_file import BOOTSTRAP, EXAMPLE, shipped
from schemas.errors import UserError
from schemas.model import Model


class QueueSize(Model):
    """A queue as jobs see it."""

    name: str
    capacity: Capacity
    machines: int
    """At most."""
    cores: int | None
    """Of one machine, physical ones."""
    memory_gb: int | None
    """Of one machine, what jobs get."""


class ClusterFiles(Model):
    """`campaign cluster init`: what was written, and what the cluster is at full size."""

    cluster: str
    file: str
    bootstrap: str | None
    staging: str | None
    profiles: tuple[str, ...]
    queues: tuple[QueueSize, ...]


def write(
    settings: ClusterSettings, file: Path, folder: Path | None, *, force: bool
) -> ClusterFiles:
    """Write the configuration, bootstrap.sh beside it, and the profiles into `folder`.

    Raises
    ------
    UserError
        When a file exists and is not to be replaced, or cannot be written. Nothing is written
        where one exists.
    """
    bootstrap = file.with_name(BOOTSTRAP) if settings.staging else None
    texts = {file: text(settings)}
    if bootstrap is not None:
        texts[bootstrap] = shipped(BOOTSTRAP)
    made = {folder / f"{name}.yaml": said for name, said in profiles(settings).items()
            } if folder else {}  # fmt: skip
    _write(texts | made, force=force)
    return ClusterFiles(
        cluster=settings.cluster,
        file=str(file),
        bootstrap=bootstrap and str(bootstrap),
        staging=settings.staging,
        profiles=tuple(map(str, made)),
        queues=tuple(
            QueueSize(
                name=queue.name,
                capacity=queue.capacity,
                machines=queue.max_count,
                cores=cores_per_node(queue),
                memory_gb=memory_per_node_gb(queue),
            )
            for queue in settings.queues
        ),
    )


def write_example(file: Path, *, force: bool) -> None:
    """Write the settings that ship. Raises UserError as `write` does."""
    _write({file: shipped(EXAMPLE)}, force=force)


def _write(texts: Mapping[Path, str], *, force: bool) -> None:
    """Write files; those that have that content already are left as they are."""
    changed = {path: text for path, text in texts.items() if not _holds(path, text)}
    there = [str(path) for path in changed if path.exists()]
    if there and not force:
        raise UserError(
            f"{', '.join(there)} exists with another content; give another place, or --force"
        )
    for path, said in changed.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(said, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}") from error


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text("utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False
