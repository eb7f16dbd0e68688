"""How much of this machine one task may take."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import UserError

MEMORY, PROCESSES = "HARNESS_TASK_MEMORY", "HARNESS_TASK_PROCESSES"
# docs.databricks.com/compute/serverless/dependencies (memory of a notebook): 16 GB is what serverless gives a task at first
_PLATFORM_MEMORY = 16 << 30
_SHARE_OF_MACHINE = 0.75
_PROCESSES = 512
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What a task may take; 0 is no limit. It travels to harness_guest.keeper.Limits."""

    memory_bytes: int
    processes: int = _PROCESSES
    output_bytes: int = 5 << 20
    """Of each of its two streams; as much as the Jobs API shows (harness/jobs/output.py)."""


def task_limits(environment: Mapping[str, str] | None = None) -> TaskLimits:
    """Return the limits for this machine: `HARNESS_TASK_MEMORY` (`4G`; `0` for none) and `HARNESS_TASK_PROCESSES` override them.

    Without these a task may take three quarters of the machine's memory, and no more than on the platform.
    """
    found = os.environ if environment is None else environment
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = found.get(MEMORY)
    processes = found.get(PROCESSES, str(_PROCESSES))
    if not processes.isdecimal():
        raise UserError(f"{PROCESSES}: '{processes}' is not a number of processes; expected for instance '512', or '0' for no limit")
    return TaskLimits(min(_PLATFORM_MEMORY, int(machine * _SHARE_OF_MACHINE)) if memory is None else _bytes(memory), int(processes))


def _bytes(text: str) -> int:
    read = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if read is None:
        raise UserError(f"{MEMORY}: '{text}' is not a size; expected for instance '8G' or '500M', or '0' for no limit")
    return int(float(read[1]) * _UNITS[read[2].upper()])
