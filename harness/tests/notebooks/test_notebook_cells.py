"""Notebooks as text: what becomes a cell, of which kind, and where it begins."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.processes import GUEST

SOURCE = """# Databricks notebook source
# MAGIC %md
# MAGIC # Train
# MAGIC
# MAGIC and register

# COMMAND ----------

# DBTITLE 1,Set up
import os

x = 1

# COMMAND ----------

# MAGIC %run ./helpers $who="you"

# COMMAND ----------


# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT 1;
# MAGIC SELECT 2
"""


@pytest.fixture(scope="module")
def notebooks() -> Iterator[Any]:
    """`harness_guest.notebook_cells`, which tasks have on their path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(GUEST))
        import harness_guest.notebook_cells

        yield harness_guest.notebook_cells
    del sys.modules["harness_guest.notebook_cells"]


def test_a_source_notebook_is_split_where_it_says(notebooks: Any) -> None:
    """Kinds, texts, titles and first lines; an empty cell is none."""
    cells = notebooks.cells(SOURCE)

    assert [(cell.kind, cell.source, cell.line, cell.title) for cell in cells] == [
        ("md", "# Train\n\nand register", 2, ""),
        ("python", "import os\n\nx = 1", 10, "Set up"),
        ("python", '%run ./helpers $who="you"', 16, ""),
        ("sql", "SELECT 1;\nSELECT 2", 23, ""),
    ]


@pytest.mark.parametrize(
    ("line", "kind", "source"),
    [
        pytest.param(
            "# MAGIC %pip install x==1\n# MAGIC %pip install y", "python", "%pip install x==1\n%pip install y", id="lines of magic"
        ),
        pytest.param("# MAGIC %md", "md", "", id="magic without words"),
        pytest.param("# MAGIC %%sh\n# MAGIC ls", "sh", "ls", id="two signs"),
        pytest.param("# MAGIC %python\n# MAGIC y = 2", "python", "y = 2", id="python is no magic"),
        pytest.param("# MAGIC %scala\n# MAGIC val x = 1", "scala", "val x = 1", id="other language"),
        pytest.param("%time f()", "python", "%time f()", id="line magic in a Python cell"),
        pytest.param("x = 1\n# MAGIC %md", "python", "x = 1\n# MAGIC %md", id="a comment among code"),
    ],
)
def test_what_a_cell_is(notebooks: Any, line: str, kind: str, source: str) -> None:
    """The first line of a cell of magic lines names its kind."""
    (cell,) = notebooks.cells(f"{notebooks.HEADER}\n{line}\n")

    assert (cell.kind, cell.source) == (kind, source)


def test_an_ipynb_has_the_same_cells(notebooks: Any) -> None:
    """Markdown, magics and code; source as lines or as one text; empty code is no cell."""
    document = {
        "nbformat": 4,
        "metadata": {"kernelspec": {"language": "python"}},
        "cells": [
            {"cell_type": "markdown", "source": ["# T\n", "x"]},
            {"cell_type": "code", "source": "%pip install a\n"},
            {"cell_type": "code", "source": ["%%sql\n", "SELECT 1"]},
            {"cell_type": "code", "source": ""},
            {"cell_type": "code", "source": ["a = 1\n", "a"]},
        ],
    }

    cells = notebooks.cells(json.dumps(document))

    assert [(cell.kind, cell.source, cell.number) for cell in cells] == [
        ("md", "# T\nx", 1),
        ("python", "%pip install a", 2),
        ("sql", "SELECT 1", 3),
        ("python", "a = 1\na", 5),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("print(1)\n", id="plain Python"),
        pytest.param("", id="nothing"),
        pytest.param("-- Databricks notebook source\nSELECT 1", id="a SQL notebook"),
        pytest.param('{"cells": 3}', id="other JSON"),
        pytest.param('{"cells": [', id="broken JSON"),
        pytest.param('{"cells": [{"source": "x"}]}', id="a cell of no type"),
    ],
)
def test_what_is_no_notebook_is_refused_with_what_was_expected(notebooks: Any, text: str) -> None:
    """Never an empty notebook that succeeds."""
    with pytest.raises(notebooks.NotNotebookError, match=r"Databricks notebook source|format 4"):
        notebooks.cells(text)


@pytest.mark.property
@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1).filter(lambda line: line.strip()), min_size=1))
def test_python_cells_come_back_as_they_were_written(notebooks: Any, lines: list[str]) -> None:
    """Whatever the lines are, cell by cell, as long as none is the notebook format's own."""
    ours = [line for line in lines if not line.startswith(("# MAGIC", "# DBTITLE", "# COMMAND", "%"))]
    text = f"{notebooks.HEADER}\n" + "\n\n# COMMAND ----------\n\n".join(ours)

    cells = notebooks.cells(text) if ours else []

    assert [cell.source for cell in cells] == ours
    assert [text.splitlines()[cell.line - 1] for cell in cells] == ours
