"""`display` and `displayHTML`: what a notebook shows, as text in the task's output; pictures as files beside it."""

import os
from itertools import count
from pathlib import Path
from typing import Any

MAX_ROWS = 1000  # docs.databricks.com/notebooks/notebook-outputs: the first rows are shown
FOLDER = "HARNESS_TASK_FOLDER"
_numbers = count(1)


def display(shown: Any = None, *_: object, **__: object) -> None:
    """Print a Spark or pandas frame as a table, keep a figure as a picture, and print anything else."""
    if type(shown).__module__.startswith("pyspark."):  # asked first: a Spark frame has every attribute, as a column
        print(shown.limit(MAX_ROWS).toPandas().to_string())  # noqa: T201 - shown is printed
    elif hasattr(figure := shown if hasattr(shown, "savefig") else getattr(shown, "figure", None), "savefig"):
        keep(figure)
    elif hasattr(shown, "to_string"):
        print(shown.head(MAX_ROWS).to_string())  # noqa: T201 - shown is printed
    elif shown is not None:
        print(shown)  # noqa: T201 - shown is printed


def display_html(html: object) -> None:
    """Print HTML as it stands."""
    print(html)  # noqa: T201 - shown is printed


def keep(figure: Any) -> None:
    """Write a figure to the folder of the task's output, and say where."""
    path = Path(os.environ.get(FOLDER, "."), f"figure-{next(_numbers)}.png")
    figure.savefig(path)
    print(f"figure: {path}")  # noqa: T201 - shown is printed
