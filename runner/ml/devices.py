"""Where a model computes: chosen once, and said."""

from __future__ import annotations

import logging
from typing import Literal, TypeAlias

from schemas.errors import UserError

Device: TypeAlias = Literal["auto", "cpu", "cuda"]

logger = logging.getLogger(__name__)


def chosen(device: Device, model: str) -> Literal["cpu", "cuda"]:
    """Return the device that is taken, and tell the log.

    On a CPU a process takes one thread: many processes on one thread each are faster than few on
    many, and sums keep their order.

    Raises
    ------
    UserError
        Where a GPU is asked for and there is none that torch can use.
    """
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise UserError(
            f"{model}: `device: cuda` asks for a GPU, and torch {torch.__version__} finds none "
            "here; set `device: auto` to take a GPU where there is one"
        )
    if there and device != "cpu":
        logger.info("%s computes on %s", model, torch.cuda.get_device_name())
        return "cuda"
    torch.set_num_threads(1)
    logger.info("%s computes on the CPU, one thread per process", model)
    return "cpu"


def description() -> str | None:
    """Return what `auto` would take here, or None where torch is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return None
    import torch

    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.get_device_name()})"
    return "cpu (one thread per process)"
