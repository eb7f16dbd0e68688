"""What both sides know of readings."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """What a meter shows at the end of a day, in litres."""

    meter: int
    day: int
    litres: int


def is_leak(before: Reading, after: Reading) -> bool:
    """Return whether so much ran through in a day that a pipe must be broken."""
    return after.litres - before.litres > 900


def arguments(*names: str) -> argparse.Namespace:
    """Return what a task was given as `--name=value`."""
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_known_args()[0]  # the job's parameters come along
