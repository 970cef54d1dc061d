"""How large the machines of a queue are, as jobs see them."""

from __future__ import annotations

from math import floor

from runner.parallelcluster.instance_types import instance_types
from runner.parallelcluster.settings import Queue

SCHEDULABLE = 0.95
"""The share of a machine's memory that ParallelCluster gives to jobs (its SchedulableMemory)."""

GIB = 2**30
GB = 10**9


def cores_per_node(queue: Queue) -> int | None:
    """Return the physical cores of one machine, the smallest's; None where no type is known."""
    if queue.cores_per_node is not None:
        return queue.cores_per_node
    known = instance_types()
    return min((known[one].cores for one in queue.instance_types if one in known), default=None)


def memory_per_node_gb(queue: Queue) -> int | None:
    """Return what jobs get of one machine's memory, the smallest's, in whole GB (1e9 bytes)."""
    known = instance_types()
    found = (known[one].memory_gib for one in queue.instance_types if one in known)
    smallest = queue.memory_gib_per_node or min(found, default=None)
    return None if smallest is None else floor(smallest * SCHEDULABLE * GIB / GB)


def has_two_threads(queue: Queue) -> bool:
    """Tell whether some machine of a queue has two threads per core, or may have."""
    known = instance_types()
    return any(one not in known or known[one].vcpus > known[one].cores
               for one in queue.instance_types)  # fmt: skip
