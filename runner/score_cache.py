"""Values of slow scores, kept: a rerun, another threshold or another shard computes nothing twice.

One folder per score, its params, version and files. Files in it are only ever added, each whole;
several processes may write at once, and what two of them computed twice is the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.columns import Column, arrow_type
from schemas.errors import UserError
from schemas.identity import canonical_json, digest
from schemas.protocols import Score, Surroundings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

LOOK_UP_S = 1e-4
"""What keeping and finding one row takes: values of quicker scores are computed again."""
WORTH_SHARDS_S = 600.0
"""Scores that would take longer than this on the workers at hand are cut into shards."""
FLUSH_S = 10.0
"""At most so much scoring is lost with the process."""
FLUSH_ROWS = 50_000
KEY_BYTES = 16
STRUCTURE = "structure"


def is_kept(plugin: Score, params: Any) -> bool:
    """Tell whether the values of a score are worth keeping."""
    return plugin.seconds(params) > LOOK_UP_S


def score_key(name: str, plugin: Score, params: Any, surroundings: Surroundings) -> str:
    """Return the SHA-256 of all that decides a score's values beside the row.

    Raises
    ------
    UserError
        When a file that the score reads (weights, a reference set) is not there.
    """
    return digest(
        {
            "score": name,
            "version": plugin.version,
            "params": params.model_dump(mode="json"),
            "files": dict(plugin.files(params, surroundings)),
        }
    )


def row_keys(columns: Mapping[str, Sequence[Any]], ids: Sequence[str | None]) -> list[bytes]:
    """Return for each row a hash of what its score reads; `ids` stand for structures.

    Parameters
    ----------
    columns
        Values by the names that the score requires, without `structure`.
    ids
        Candidate ids; looked at only where the score reads structures, else all None.
    """
    names = sorted(columns)
    return [
        blake2b(
            canonical_json({"id": one, "read": list(values)}).encode(), digest_size=KEY_BYTES
        ).digest()
        for one, *values in zip(ids, *(columns[name] for name in names), strict=True)
    ]


class ScoreCache:
    """Kept values of one score: its columns, `note`, and the seconds that a row took."""

    def __init__(self, folder: Path, columns: Sequence[Column]) -> None:
        import pyarrow as pa

        self._folder = folder
        self.schema = pa.schema(
            [
                pa.field("key", pa.binary(KEY_BYTES)),
                *(pa.field(column.name, arrow_type(column.type)) for column in columns),
                pa.field("note", pa.string()),
                pa.field("seconds", pa.float64()),
            ]
        )
        self._new: list[pa.RecordBatch] = []
        self._since = time.monotonic()
        self._known = self._read()
        halves = self._halves(self._known["key"])
        self._order = halves[:, 0].argsort(kind="stable")
        self._halves_sorted = halves[self._order]

    def holds_rows(self) -> bool:
        """Tell whether any row was known when it was opened."""
        return bool(self._known.num_rows)

    def mean_seconds(self) -> float | None:
        """Return what the known rows took on average, or None for none."""
        import pyarrow.compute as pc

        mean = pc.mean(self._known["seconds"]).as_py()
        return None if mean is None else float(mean)

    def find(self, keys: Sequence[bytes]) -> NDArray[np.int64]:
        """Return the place of each key among the known rows, -1 where it is not known."""
        import numpy as np

        if not self._known.num_rows or not keys:
            return np.full(len(keys), -1)
        wanted = np.frombuffer(b"".join(keys), np.uint64).reshape(-1, 2)
        first = self._halves_sorted[:, 0]
        at = np.minimum(np.searchsorted(first, wanted[:, 0]), len(first) - 1)
        hit = (self._halves_sorted[at] == wanted).all(axis=1)
        return np.where(hit, self._order[at], -1)

    def rows(self, places: NDArray[np.int64]) -> pa.Table:
        """Return known rows by their places."""
        return self._known.take(places)

    def add(self, keys: Sequence[bytes], scored: pa.RecordBatch, seconds: float) -> None:
        """Keep the rows of a batch that were scored without error; each took `seconds`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        arrays = [
            pa.array(keys, pa.binary(KEY_BYTES)),
            *(scored[field.name].cast(field.type) for field in list(self.schema)[1:-1]),
            pa.array([seconds] * len(keys), pa.float64()),
        ]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        self._new.append(batch.filter(pc.is_null(scored["error"])))
        waiting = sum(one.num_rows for one in self._new)
        if waiting >= FLUSH_ROWS or time.monotonic() - self._since > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write what was added. Raises UserError when that is impossible."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = pa.Table.from_batches(self._new, schema=self.schema)
        self._new, self._since = [], time.monotonic()
        if not rows.num_rows:
            return
        name = f"{time.time_ns()}-{os.getpid()}.parquet"
        part = self._folder / f".{name}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, part, compression="zstd")
            part.replace(self._folder / name)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise UserError(f"scores cannot be kept in {self._folder}: {error}") from error

    def _read(self) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        parts = []
        for path in sorted(self._folder.glob("*.parquet")):
            try:
                parts.append(pq.read_table(path))
            except (OSError, pa.ArrowInvalid):
                continue  # cut off by a loss of power: its rows are computed again
        return pa.concat_tables([self.schema.empty_table(), *parts]).combine_chunks()

    @staticmethod
    def _halves(keys: pa.ChunkedArray) -> NDArray[np.uint64]:
        """Return keys as two numbers each, shape (rows, 2)."""
        import numpy as np

        joined = b"".join(keys.to_pylist())
        return np.frombuffer(joined, np.uint64).reshape(-1, 2)
