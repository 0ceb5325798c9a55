"""What can be wrong around Sessions: each check looks at one thing and says what it found.

The command `check`, the page /setup, the start and /health/ready show the same outcomes. A check
asks what costs nothing, has 5 seconds, and changes nothing.
"""

from core.checks.outcome import Fact, Outcome, State, worst
from core.checks.run import CHECKS, OUTSIDE, TITLES, Check, run
from core.checks.watch import Watch, look_once

__all__ = [
    "CHECKS",
    "OUTSIDE",
    "TITLES",
    "Check",
    "Fact",
    "Outcome",
    "State",
    "Watch",
    "look_once",
    "run",
    "worst",
]
