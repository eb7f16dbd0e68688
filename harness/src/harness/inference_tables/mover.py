"""The process that writes inference tables: a line of JSON on standard input is an order, the line that answers says what became of it."""

import gc
import logging
import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path

import msgspec

from harness.inference_tables.moving import HereMover
from harness.inference_tables.ports import Order

NICENESS = 19  # a fiftieth of a processor that serving could use, all of one that it does not
_GROUP = Path("/proc/self/autogroup")  # where the kernel groups sessions, niceness holds inside a group only; this is the group's


class _NoPandas:
    """Keeps pyarrow from importing pandas, which takes longer than all the rest of this process's start, for nothing used here."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find every module but one."""
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return None


def main() -> None:
    """Carry out orders until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints
    logging.basicConfig()
    sys.meta_path.insert(0, _NoPandas())
    os.nice(NICENESS)
    gc.freeze()
    gc.set_threshold(100_000)  # rows are many and make no cycles
    decoder, mover = msgspec.json.Decoder(Order), HereMover()
    niceness = 0
    for line in sys.stdin.buffer:
        order = decoder.decode(line)
        wanted = 0 if order.urgent else NICENESS
        if wanted != niceness:
            with suppress(OSError):  # no such groups here, or changed a moment ago
                _GROUP.write_text(str(wanted))
                niceness = wanted
        answers.write(msgspec.json.encode(mover.move(order)) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
