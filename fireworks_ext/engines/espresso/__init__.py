"""Quantum ESPRESSO's pw.x as an engine."""

from fireworks_ext.engines.espresso.engine import Espresso
from schemas.protocols import Engine

plugin: Engine = Espresso()
