"""What a run would compute and what it would take: counts and core-hours, each with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fireworks_ext.ledger import SECONDS_PER_HOUR
from fireworks_ext.store import Store
from runner.analysis_stage import AnalysisStage
from runner.compile import Wanted
from runner.cost import HIGH_PERCENT, LOW_PERCENT, calibrate, interval, prior_of
from runner.enrolment import all_orders
from runner.history import History, last_screening, read_history
from runner.known_rows import with_known_rows
from runner.load import LoadedCampaign
from runner.orders import Machine
from runner.reference_members import reference_members
from runner.screening import Screening, Survivor
from runner.simulation import GOES, STOPS, UNSURE, Outcome, StageTable, simulate
from runner.stages import AnyStage, Stage
from runner.survey import DRAWS, Survey, complete, survey
from schemas.ledger import ANALYSIS, ResultRecord, StageEntry, StageState
from schemas.reports import Interval, Plan, StagePlan
from schemas.work import StageOrder

if TYPE_CHECKING:
    from runner.cost import Array
    from runner.place import Place


def plan(loaded: LoadedCampaign, place: Place, store: Store | None, *, exact: bool = False) -> Plan:
    """Return the plan of a campaign in its place. Nothing is started and nothing written."""
    from launchers.local.params import usable_cores
    from runner.campaign_document import machine
    from runner.readiness import require_price
    from runner.screenings import screening_of

    require_price(loaded, place)
    if place.cluster is not None:
        cores = place.cluster.cores
    else:
        cores = place.local.seats(len(usable_cores().numbers)) * place.local.cores_per_job
    return estimate(
        loaded,
        screening_of(loaded, None, data=place.data),
        machine(place),
        store=store,
        cores=cores,
        exact=exact,
    )


def estimate(
    loaded: LoadedCampaign,
    screening: Screening,
    machine: Machine,
    *,
    store: Store | None,
    cores: int,
    exact: bool = False,
) -> Plan:
    """Return the plan of a campaign: the same for the same seed, ledger and sample.

    Parameters
    ----------
    screening
        What the campaign file asks for; it is not carried out where the last run's still holds.
    store
        None where there is none yet.
    cores
        Cores that jobs share at any time.
    exact
        Screen every row, however long it takes.

    Raises
    ------
    UserError
        When stages cannot be done for some candidates.
    """
    import numpy as np

    rng = np.random.default_rng(loaded.campaign.seed)
    last = None if exact else last_screening(store, loaded)
    if last is not None:
        found = complete(
            last.members,
            last.filters,
            enumerated=last.enumerated,
            screened=0,
            seed=loaded.campaign.seed,
        )
    else:
        found = survey(screening, rng, exact=exact)
    references = reference_members(loaded, found.members)
    members = [*found.members, *references]
    orders = all_orders(loaded, members, machine)
    history = read_history(store, loaded, (order.key for one in orders for order in one.values()))
    # Of a sample nobody knows what an analysis of all will say.
    ledger = None if found.note else store
    wanted, history = with_known_rows(ledger, loaded, members, orders, history)
    tables = _tables(loaded.stages, members, wanted, history)
    groups = [*_groups(found), *_reference_group(len(found.members), len(references))]
    outcome = simulate(tables, groups, draws=DRAWS, cores=cores, rng=rng)
    return _plan(loaded, found, tables, outcome, cores, machine.site.usd_per_core_hour)


def _groups(found: Survey) -> list[tuple[Array, Array]]:
    """Return members that stand for the passed ones and for the control samples."""
    import numpy as np

    control = np.array([member.control for member in found.members], dtype=bool)
    groups = [(np.flatnonzero(~control), found.plain), (np.flatnonzero(control), found.control)]
    there = [group for group in groups if len(group[0])]
    if len(there) == 1:
        return [(there[0][0], found.plain + found.control)]
    return there


def _reference_group(first: int, count: int) -> list[tuple[Array, Array]]:
    """Return the references as a group, each of which stands for itself."""
    import numpy as np

    return [(np.arange(first, first + count), np.full(DRAWS, count))] if count else []


def _tables(
    stages: Sequence[AnyStage],
    members: Sequence[Survivor],
    wanted: Sequence[Wanted],
    history: History,
) -> list[StageTable]:
    """Return, stage by stage, what is known of all members."""
    place_of = {stage.name: place for place, stage in enumerate(stages)}
    counted: set[str] = set()
    tables = []
    for stage in stages:
        above = tuple(place_of[name] for name in stage.dependencies)
        if isinstance(stage, AnalysisStage):
            tables.append(_rows_table(stage, above, wanted))
            continue
        orders = [
            order if isinstance(order := one.get(stage.name), StageOrder) else None
            for one in wanted
        ]
        tables.append(_table(stage, above, members, orders, history, counted))
    return tables


def _rows_table(
    stage: AnalysisStage,
    above: tuple[int, ...],
    wanted: Sequence[Wanted],
) -> StageTable:
    """Return what is known of the rows of an analysis, which cost nothing."""
    import numpy as np

    n = len(wanted)
    rows = [one.get(stage.name) for one in wanted]
    known = np.array(
        [isinstance(row, StageEntry) and row.state is StageState.OK for row in rows], dtype=bool
    )
    return StageTable(
        name=stage.name,
        above=above,
        ways=np.full(n, GOES, dtype=np.int8),
        known=known,
        needed=~known,
        work=np.ones(n),
        cores=np.ones(n, dtype=int),
        measured_core_s=np.full(n, np.nan),
        model=calibrate([], prior_of(ANALYSIS, stage.analysis), typical_work=1.0),
        free=True,
    )


def _table(
    stage: Stage,
    above: tuple[int, ...],
    members: Sequence[Survivor],
    orders: Sequence[StageOrder | None],
    history: History,
    counted: set[str],
) -> StageTable:
    import numpy as np

    n = len(members)
    ways, work = np.full(n, GOES, dtype=np.int8), np.ones(n)
    known, needed = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    measured = np.full(n, np.nan)
    decided: dict[str, bool] = {}
    for place, (member, order) in enumerate(zip(members, orders, strict=True)):
        if order is None:  # a reference goes through some stages only
            ways[place] = STOPS
            continue
        passes = _passes(stage, member, order, history)
        if passes is not None and stage.when is not None:
            decided[member.candidate_id] = passes
        stopped = passes is False or history.stops(member.candidate_id, stage.name, order.key)
        if order.key in history.known and passes is not False:
            known[place] = True
        elif stopped:
            ways[place] = STOPS
        else:
            ways[place] = UNSURE if passes is None else GOES
            needed[place] = order.key not in counted
            counted.add(order.key)
            params = stage.plugin.params.model_validate(order.params)
            work[place] = stage.plugin.work(member.candidate.structure, stage.task, params)
            measured[place] = history.measured_core_s.get(order.key, np.nan)
    verdicts = history.verdicts(stage, apart_from=decided)
    passed = sum(decided.values())
    return StageTable(
        name=stage.name,
        above=above,
        ways=ways,
        known=known,
        needed=needed,
        work=work,
        cores=np.array([one.resources.all_cores if one else 1 for one in orders], dtype=int),
        measured_core_s=measured,
        model=calibrate(
            history.runs.get((stage.engine, stage.task), []),
            prior_of(stage.engine, stage.task),
            typical_work=float(np.median(work[needed])) if needed.any() else 1.0,
        ),
        passes=verdicts[True] + passed,
        fails=verdicts[False] + len(decided) - passed,
    )


def _passes(stage: Stage, member: Survivor, order: StageOrder, history: History) -> bool | None:
    """Return whether the gate lets a member through, None where that is not known yet."""
    if stage.when is None or order.when is None:  # no gate is for references
        return True
    named = {name.partition(".")[0] for name in stage.when.names if "." in name}
    reads: dict[str, ResultRecord] = {}
    for name, key in order.reads.items():
        if name in named and key not in history.known:
            return None
        if name in named:
            reads[name] = history.known[key]
    row: dict[str, object] = {**member.candidate.row(), **member.scores}
    for name, result in reads.items():
        row |= {f"{name}.{column}": value for column, value in result.values.items()}
    return stage.when.evaluate(row) is True


def _plan(
    loaded: LoadedCampaign,
    found: Survey,
    tables: Sequence[StageTable],
    outcome: Outcome,
    cores: int,
    price: float | None,
) -> Plan:
    import numpy as np

    size = found.plain + found.control
    hours = outcome.core_s / SECONDS_PER_HOUR
    in_all = hours.sum(axis=0)
    per_member = float(size.mean()) / max(len(found.members), 1)
    return Plan(
        campaign=loaded.campaign.campaign,
        enumerated=found.enumerated,
        screened=found.screened,
        filters=found.filters,
        survivors=_counts(size),
        stages=tuple(
            StagePlan(
                stage=table.name,
                candidates=_counts(outcome.candidates[place]),
                known=round(int(table.known.sum()) * per_member),
                core_hours=interval(hours[place]),
                basis=_basis(table, outcome.candidates[place], found.note),
            )
            for place, table in enumerate(tables)
        ),
        core_hours=interval(in_all),
        wall_hours=interval(np.maximum(outcome.serial_s, outcome.longest_s) / SECONDS_PER_HOUR),
        cores=cores,
        core_hours_limit=loaded.campaign.budget.core_hours,
        usd=None if price is None else interval(in_all * price),
        usd_limit=loaded.campaign.budget.usd,
    )


def _counts(values: Array) -> Interval:
    """Return the interval of a count, which has whole bounds."""
    import numpy as np

    low, high = np.percentile(values, [LOW_PERCENT, HIGH_PERCENT])
    mean = float(np.mean(values))
    return Interval(
        low=min(float(np.floor(low)), mean), expected=mean, high=max(float(np.ceil(high)), mean)
    )


def _basis(table: StageTable, candidates: Array, note: str) -> str:
    """Say where the numbers of a stage come from."""
    if not candidates.any():
        return "nothing to compute"
    if table.free:
        return "computed from results, without a calculation"
    parts = [table.model.basis]
    again = int((~_is_nan(table.measured_core_s[table.needed])).sum())
    if again:
        parts.append(f"{again} computed before")
    if bool((table.ways == UNSURE).any()):
        decided = table.passes + table.fails
        parts.append(
            f"gate: {table.passes} of {decided} passed" if decided else "gate: nothing known"
        )
    if note:
        parts.append(note)
    return "; ".join(parts)


def _is_nan(values: Array) -> Array:
    import numpy as np

    return np.isnan(values)
