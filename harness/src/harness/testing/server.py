"""`python -m harness.testing.server STATE`: a harness that prints one line of JSON when it answers, and ends with its standard input.

A process of its own, so that nothing a test does to its own process (clocks, sockets, warnings) is done to the platform.
"""

import signal
import sys
from pathlib import Path

from harness import sample_data
from harness.app import Harness
from harness.cli.lifecycle import keep_log
from harness.config import Layout


def main() -> None:
    """Run until standard input ends."""
    layout = Layout(Path(sys.argv[1]))
    keep_log(layout)
    with Harness(layout, lambda line: print(line, file=sys.stderr, flush=True)) as harness:  # noqa: T201 - its log
        sample_data.write_table(sample_data.generate(), layout.warehouse)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever runs the tests, who still needs us to clean up
        print(harness.connection.line(), flush=True)  # noqa: T201 - whoever has started it waits for this
        harness.train_when_idle()
        sys.stdin.read()


if __name__ == "__main__":
    main()
