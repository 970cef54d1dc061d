"""What AWS's schema lets pass, and AWS refuses or takes money for, found beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.parallelcluster.instance_types import InstanceType, instance_types, with_efa
from runner.parallelcluster.machines import cores_per_node
from runner.parallelcluster.settings import SOFTWARE_OS, ClusterSettings, Lustre, Queue
from schemas.errors import Problem, suggestion

SMALLEST_LUSTRE_GB = 1200
LUSTRE_STEP_GB = 2400
THROUGHPUTS_MB_S_PER_TIB: Mapping[str, tuple[int, ...]] = {
    "PERSISTENT_1": (50, 100, 200),
    "PERSISTENT_2": (125, 250, 500, 1000),
}
"""Of solid-state disks; ParallelCluster 3.16.1 and the FSx guide (CreateFileSystem)."""
LONGEST_NAME_WITH_ACCOUNTING = 40
"""Slurm names tables after the cluster, and MySQL's names end at 64 characters."""


def problems(settings: ClusterSettings) -> tuple[Problem, ...]:
    """Return what is wrong with settings that are well formed."""
    return (
        *_names(settings),
        *_software(settings),
        *_lustre(settings.lustre),
        *(
            problem
            for n, queue in enumerate(settings.queues)
            for problem in (*_queue(queue, n), *_machines(queue, n))
        ),
        *_architectures(settings),
        *_size(settings),
    )


def _names(settings: ClusterSettings) -> Iterator[Problem]:
    seen: set[str] = set()
    for n, queue in enumerate(settings.queues):
        if queue.name in seen:
            yield Problem(("queues", n, "name"), f"a second queue '{queue.name}'")
        seen.add(queue.name)
    if settings.accounting and len(settings.cluster) > LONGEST_NAME_WITH_ACCOUNTING:
        yield Problem(
            ("cluster",),
            f"found {len(settings.cluster)} characters, expected at most "
            f"{LONGEST_NAME_WITH_ACCOUNTING} with accounting, which names tables after the cluster",
        )


def _software(settings: ClusterSettings) -> Iterator[Problem]:
    if settings.staging and settings.os != SOFTWARE_OS:
        yield Problem(
            ("os",),
            f"found '{settings.os}', expected {SOFTWARE_OS} with `staging`: bootstrap.sh installs "
            "packages of that system; leave `staging` away and install by yourself, or change `os`",
        )


def _lustre(lustre: Lustre) -> Iterator[Problem]:
    if lustre.file_system is not None:
        for key in sorted(lustre.model_fields_set - {"file_system", "mount"}):
            yield Problem(
                ("lustre", key),
                "not together with `file_system`: a file system that exists stays as it is",
                at_key=True,
            )
        return
    if lustre.size_gb != SMALLEST_LUSTRE_GB and lustre.size_gb % LUSTRE_STEP_GB:
        yield Problem(
            ("lustre", "size_gb"),
            f"found {lustre.size_gb}, expected {SMALLEST_LUSTRE_GB} or a multiple of "
            f"{LUSTRE_STEP_GB} (2400, 4800, ...): FSx for Lustre comes in these sizes",
        )
    allowed = THROUGHPUTS_MB_S_PER_TIB.get(lustre.deployment, ())
    found = lustre.mb_s_per_tib
    if allowed and found not in allowed:
        yield Problem(
            ("lustre", "mb_s_per_tib"),
            f"{'missing' if found is None else f'found {found}'}, expected one of "
            f"{', '.join(map(str, allowed))} with {lustre.deployment}",
            at_key=found is None,
        )
    if not allowed and found is not None:
        yield Problem(
            ("lustre", "mb_s_per_tib"),
            f"found {found}, expected nothing: {lustre.deployment} has 200 MB/s per TiB, always",
        )


def _queue(queue: Queue, n: int) -> Iterator[Problem]:
    if queue.min_count > queue.max_count:
        yield Problem(
            ("queues", n, "min_count"),
            f"found {queue.min_count}, expected at most max_count, {queue.max_count}",
        )
    if queue.price_cap_usd_per_hour is not None and queue.capacity != "spot":
        yield Problem(
            ("queues", n, "price_cap_usd_per_hour"),
            "only spot instances have a price that changes; `limits.cores` bounds the others",
        )


def _machines(queue: Queue, n: int) -> Iterator[Problem]:
    known = instance_types()
    own = queue.cores_per_node is not None and queue.memory_gib_per_node is not None
    for m, name in enumerate(queue.instance_types):
        path = ("queues", n, "instance_types", m)
        if name in queue.instance_types[:m]:
            yield Problem(path, f"'{name}' a second time")
        elif name not in known and not own:
            near = suggestion(name, tuple(known)) if "." in name else ""
            yield Problem(
                path,
                f"no instance type '{name}' is known here{near if 'did you mean' in near else ''}; "
                "for a new one, or one with accelerators, give cores_per_node and "
                "memory_gib_per_node in its queue",
            )
        elif name in known:
            for message in _unfit(known[name], queue):
                yield Problem(path, message)
    found = {name: known[name].cores for name in queue.instance_types if name in known}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name} {cores}" for name, cores in found.items())
        yield Problem(
            ("queues", n, "instance_types"),
            f"found types of different numbers of cores ({told}), expected the same: jobs of a "
            "queue are as large as one of its machines; make two queues",
        )


def _unfit(found: InstanceType, queue: Queue) -> Iterator[str]:
    """Yield why a type does not do what its queue asks for."""
    if queue.efa and not found.efa:
        others = with_efa(found.family)
        remedy = (
            f"of its family {' and '.join(others)} {'has' if len(others) == 1 else 'have'} it"
            if others
            else "no type of its family has it; hpc7a, hpc6a and c6in.32xlarge do"
        )
        yield (
            f"{found.name} has no Elastic Fabric Adapter, which `efa: true` asks for; {remedy}, "
            "and jobs on one machine do not need it"
        )
    if queue.capacity == "spot" and not found.spot:
        yield f"{found.name} is not offered as spot instance; use `capacity: on-demand`"


def _architectures(settings: ClusterSettings) -> Iterator[Problem]:
    """Yield a problem where not all machines run the same programs."""
    known = instance_types()
    head = known.get(settings.head_node.instance_type)
    expected = head.architecture if head else None
    for n, queue in enumerate(settings.queues):
        for m, name in enumerate(queue.instance_types):
            found = known[name].architecture if name in known else None
            if found and expected and found != expected:
                yield Problem(
                    ("queues", n, "instance_types", m),
                    f"{name} is {found}, but the head node ({settings.head_node.instance_type}) "
                    f"is {expected}; all machines of a cluster are of one architecture",
                )


def _size(settings: ClusterSettings) -> Iterator[Problem]:
    sizes = [(queue, cores_per_node(queue)) for queue in settings.queues]
    if any(cores is None for _, cores in sizes):
        return
    total = sum(queue.max_count * (cores or 0) for queue, cores in sizes)
    if total > settings.limits.cores:
        told = " + ".join(f"{queue.name} {queue.max_count} x {cores}" for queue, cores in sizes)
        yield Problem(
            ("limits", "cores"),
            f"found {settings.limits.cores}, but all queues at full size have {total} cores "
            f"({told}); lower max_count, or raise the limit if that is meant",
        )
