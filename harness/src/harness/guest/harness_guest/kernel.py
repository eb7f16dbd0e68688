"""What Linux alone offers to whoever looks after processes; elsewhere each of these does nothing, or says that it could not."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2
_PAGE = os.sysconf("SC_PAGE_SIZE")
_C = ctypes.CDLL(None, use_errno=True)
if _LINUX:
    _C.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def become_subreaper() -> None:
    """Inherit the descendants whose parents end, as init otherwise does."""
    if _LINUX:
        _C.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def signal_when_parent_ends(number: int) -> None:
    """Have this process be sent a signal when the process that forked it ends."""
    if _LINUX:
        _C.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def punch_hole(file: int, length: int) -> bool:
    """Free the first `length` bytes of a file on disk without moving the others; return whether that could be done."""
    return _LINUX and _C.fallocate(file, _FALLOC_FL_KEEP_SIZE | _FALLOC_FL_PUNCH_HOLE, 0, length // _PAGE * _PAGE) == 0


def children(pid: int) -> Iterator[int]:
    """Return the children of a process, zombies among them."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for thread in threads:
        with contextlib.suppress(OSError):
            yield from map(int, (thread / "children").read_text().split())


def descendants(pid: int) -> Iterator[int]:
    """Return what a process has started, what that has started, and so on."""
    ahead = list(children(pid))
    while ahead:
        found = ahead.pop()
        yield found
        ahead += children(found)


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the sum of what processes have in memory; what several share is counted for each."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * _PAGE


def proportional_bytes(pids: Iterable[int]) -> int:
    """Return what processes have in memory, each counted for its share of what several have; slow for large ones."""
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            found += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return found
