"""What went wrong in a run directory of pw.x, ph.x or neb.x, told from its files alone."""

from fireworks_ext.engines.espresso.recognition.diagnosis import RULES, diagnose, failures

__all__ = ["RULES", "diagnose", "failures"]
