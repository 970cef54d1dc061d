"""The few things that FireWorks asks of a database and Amazon DocumentDB refuses, done otherwise.

They are done so on every server: what is tested on one holds on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fireworks import LaunchPad


def sort_plainly(sort: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return the stages by which FireWorks' queries sort.

    FireWorks' own make dates of texts first, by the stage `$set`, which DocumentDB has from 8.0 on.
    Without it, dates that are texts (`created_on` of fireworks, always; `updated_on` of those that
    never moved) come before those that are dates, and each kind is in order.
    """
    return [{"$sort": dict(sort)}]


def without_what_it_refuses(launchpad: LaunchPad) -> None:
    """Keep this process's FireWorks to what DocumentDB 5.0 understands."""
    from fireworks.core import launchpad as module

    module.sort_aggregation = sort_plainly
    # For actions of launches that are larger than a document may be; ours are small, and GridFS is
    # not among what DocumentDB promises.
    launchpad.gridfs_fallback = None
