"""What `campaign repair` prints."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from runner.show import as_json, print_part, rich_table
from schemas.repairs import RepairRound


def rounds(found: Sequence[RepairRound], *, json: bool) -> None:
    """Print what a round over campaigns put right, with the reasons."""
    if json:
        as_json("repair", found)
        return
    for one in found:
        for line in _lines(one):
            typer.echo(line)


def log(found: Sequence[RepairRound], *, json: bool) -> None:
    """Print the logs of campaigns."""
    if json:
        as_json("repair", found)
        return
    for one in found:
        if not one.repairs:
            typer.echo(f"{one.campaign}: nothing was repaired")
            continue
        table = rich_table("at (UTC)", "by", "what", "reason")
        for record in one.repairs:
            at = record.at.isoformat(sep=" ", timespec="seconds")
            table.add_row(at, record.by, record.what, record.reason)
        typer.echo(f"{one.campaign}: {len(one.repairs)} repairs")
        print_part(table)


def _lines(one: RepairRound) -> list[str]:
    name = one.campaign
    lines = [f"{name}: {record.what}: {record.reason}" for record in one.repairs]
    if not one.repairs:
        lines.append(f"{name}: nothing to repair")
    if one.suspects:
        lines.append(
            f"{name}: {one.suspects} look left behind, or are just being worked on; with --wait, "
            "what has not moved a minute later is repaired"
        )
    if one.orphans:
        lines.append(
            f"{name}: {one.orphans} programs outlived their workers; what they compute is taken in "
            "when they have ended"
        )
    if one.controller:
        lines.append(
            f"{name}: a `campaign run` is at work ({one.controller}) and repairs by itself; doing "
            "both is harmless"
        )
    return lines
