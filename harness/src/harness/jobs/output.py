"""What tasks printed."""

import os
from dataclasses import dataclass
from pathlib import Path

from harness.jobs.model import TaskRun

MAX_LOG_BYTES = 5 << 20  # docs.databricks.com/api/workspace/jobs/getrunoutput: the last 5 MB
PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a task's standard output. `offset` is where the next one begins; `attempt_number` tells when a retry began anew."""

    text: str
    offset: int
    attempt_number: int
    ended: bool


def logs(folder: Path) -> tuple[str, bool]:
    """Return the end of what an attempt printed, standard error after standard output, and whether more came before."""
    sizes = {stream: path.stat().st_size for stream in ("stdout", "stderr") if (path := folder / stream).exists()}
    left = MAX_LOG_BYTES
    parts: list[bytes] = []
    for stream in ("stderr", "stdout"):
        taken = min(left, sizes.get(stream, 0))
        left -= taken
        if taken:
            with (folder / stream).open("rb") as file:
                file.seek(sizes[stream] - taken)
                parts.insert(0, file.read(taken))
    return "".join(part.decode(errors="replace") for part in parts), sum(sizes.values()) > MAX_LOG_BYTES


def piece(folder: Path, task: TaskRun, offset: int) -> Piece:
    """Return what `task` printed since `offset`, at most a megabyte, cut between characters."""
    ended = task.state.ended  # looked at before reading: what an ended task printed is all there
    path = folder / "stdout"
    read = b""
    if path.exists():
        with path.open("rb") as file:
            begin = _next_data(file.fileno(), offset)
            file.seek(begin)
            read = file.read(PIECE_BYTES)
    else:
        begin = offset
    whole = read[: _whole_characters(read)]
    after = begin + len(whole)
    told = f"[harness] {begin - offset} bytes of output were not kept\n" if begin > offset else ""
    return Piece(told + whole.decode(errors="replace"), after, task.attempt_number, ended and len(read) < PIECE_BYTES)


def _next_data(file: int, offset: int) -> int:
    """Return where what is left of a long output goes on (its beginning is forgotten: guest/harness_guest/keeper.py)."""
    try:
        return os.lseek(file, offset, os.SEEK_DATA)
    except OSError:  # nothing comes after it
        return offset


def _whole_characters(data: bytes) -> int:
    """Return how many bytes of `data` come before a UTF-8 character that is cut off at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:  # a character begins here
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if length > back else len(data)
    return len(data)
