"""Notebooks in the workspace: what becomes one, under which name, and in which format it is given back."""

import base64
import itertools
import json

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType
from hypothesis import given
from hypothesis import strategies as st

from harness.workspace.notebooks import Cell, source_cells, to_jupyter, to_source
from harness.workspace.service import WorkspaceService

HOME = "/Users/developer@harness.local"
SOURCE = b"""# Databricks notebook source
# MAGIC %md
# MAGIC # Title

# COMMAND ----------

print(1)

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT 1
"""
JUPYTER = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]},
            {"cell_type": "code", "metadata": {}, "source": "print(1)", "outputs": [], "execution_count": 7},
            {"cell_type": "code", "metadata": {}, "source": ["%sql\n", "SELECT 1"], "outputs": [], "execution_count": None},
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
).encode()
_numbers = itertools.count()


@pytest.fixture
def folder(client: WorkspaceClient) -> str:
    """An empty folder of the workspace."""
    path = f"{HOME}/notebooks_{next(_numbers)}"
    client.workspace.mkdirs(path)
    return path


def import_file(http: httpx.Client, path: str, content: bytes, *, overwrite: bool = False) -> httpx.Response:
    """Upload as the official command line does."""
    return http.post(f"/api/2.0/workspace-files/import-file{path}", params={"overwrite": str(overwrite).lower()}, content=content)


def export(http: httpx.Client, path: str, **query: str) -> httpx.Response:
    """Ask for a notebook's bytes."""
    return http.get("/api/2.0/workspace/export", params={"path": path, "direct_download": "true", **query})


@pytest.mark.parametrize(
    ("name", "content", "language"),
    [
        pytest.param("a.py", SOURCE, Language.PYTHON, id="python"),
        pytest.param("a.py", SOURCE.replace(b"\n", b"\r\n"), Language.PYTHON, id="windows"),
        pytest.param("a.py", b"# Databricks notebook source", Language.PYTHON, id="header alone"),
        pytest.param("a.sql", b"-- Databricks notebook source\nselect 1", Language.SQL, id="sql"),
        pytest.param("a.scala", b"// Databricks notebook source\n", Language.SCALA, id="scala"),
        pytest.param("a.R", b"# Databricks notebook source\n", Language.R, id="r"),
        pytest.param("a.ipynb", JUPYTER, Language.PYTHON, id="jupyter"),
    ],
)
def test_notebook_loses_its_extension(
    http: httpx.Client, client: WorkspaceClient, folder: str, name: str, content: bytes, language: Language
) -> None:
    """A file whose first line says so, or a Jupyter file, is a notebook."""
    assert import_file(http, f"{folder}/{name}", content).status_code == 200

    found = list(client.workspace.list(folder))

    assert [(one.path, one.object_type, one.language) for one in found] == [(f"{folder}/a", ObjectType.NOTEBOOK, language)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.py", b"import os\n# Databricks notebook source\n", id="second line"),
        pytest.param("a.py", b"# Databricks notebook sources\n", id="longer line"),
        pytest.param("a.sql", b"# Databricks notebook source\n", id="other language's comment"),
        pytest.param("a.txt", SOURCE, id="no source file"),
        pytest.param(".py", SOURCE, id="no name"),
    ],
)
def test_other_files_stay_files(http: httpx.Client, client: WorkspaceClient, folder: str, name: str, content: bytes) -> None:
    """They keep their names."""
    import_file(http, f"{folder}/{name}", content)

    assert [(one.path, one.object_type) for one in client.workspace.list(folder)] == [(f"{folder}/{name}", ObjectType.FILE)]


def test_notebooks_of_one_stem_collide(http: httpx.Client, client: WorkspaceClient, folder: str) -> None:
    """`a.py` and `a.ipynb` are one object, as on the platform; `a.txt` is another."""
    import_file(http, f"{folder}/a.py", SOURCE)

    refused = import_file(http, f"{folder}/a.ipynb", JUPYTER)

    assert (refused.status_code, refused.json()["error_code"]) == (409, "RESOURCE_ALREADY_EXISTS")
    assert refused.json()["message"].endswith("already exists.")
    assert import_file(http, f"{folder}/a.txt", b"").status_code == 200
    assert import_file(http, f"{folder}/a.ipynb", JUPYTER, overwrite=True).status_code == 200
    assert export(http, f"{folder}/a", format="AUTO").content == JUPYTER
    assert len(list(client.workspace.list(folder))) == 2


@pytest.mark.parametrize(
    ("name", "content", "format_", "expected"),
    [
        pytest.param("n.py", SOURCE, "SOURCE", SOURCE, id="source as source"),
        pytest.param("n.ipynb", JUPYTER, "JUPYTER", JUPYTER, id="jupyter as jupyter"),
        pytest.param("n.py", SOURCE, "AUTO", SOURCE, id="source as it came"),
        pytest.param("n.ipynb", JUPYTER, "AUTO", JUPYTER, id="jupyter as it came"),
        pytest.param("n.ipynb", JUPYTER, "SOURCE", SOURCE, id="jupyter as source"),
    ],
)
def test_notebook_is_exported(http: httpx.Client, folder: str, name: str, content: bytes, format_: str, expected: bytes) -> None:
    """In the format it came in byte for byte, in the other converted."""
    import_file(http, f"{folder}/{name}", content)

    assert export(http, f"{folder}/n", format=format_).content == expected


def test_source_is_exported_as_jupyter(client: WorkspaceClient, folder: str) -> None:
    """With a Markdown cell for what `%md` says."""
    content = base64.b64encode(SOURCE).decode()
    client.workspace.import_(f"{folder}/n", content=content, format=ImportFormat.SOURCE, language=Language.PYTHON)

    found = client.workspace.export(f"{folder}/n", format=ExportFormat.JUPYTER)

    document = json.loads(base64.b64decode(found.content or ""))
    assert found.file_type == "ipynb"
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in document["cells"]] == [
        ("markdown", "# Title"),
        ("code", "print(1)"),
        ("code", "%sql\nSELECT 1"),
    ]


def test_jupyter_is_imported_under_the_given_name(client: WorkspaceClient, folder: str) -> None:
    """`format=JUPYTER` takes no extension away."""
    client.workspace.upload(f"{folder}/n", JUPYTER, format=ImportFormat.JUPYTER)

    assert client.workspace.get_status(f"{folder}/n").object_type == ObjectType.NOTEBOOK
    with client.workspace.download(f"{folder}/n", format=ExportFormat.JUPYTER) as content:
        assert content.read() == JUPYTER


def test_raw_import_is_a_file(client: WorkspaceClient, folder: str) -> None:
    """Whatever its first line says."""
    client.workspace.upload(f"{folder}/n.py", SOURCE, format=ImportFormat.RAW)

    assert client.workspace.get_status(f"{folder}/n.py").object_type == ObjectType.FILE


def test_export_info_names_the_format(http: httpx.Client, folder: str) -> None:
    """The official command line asks for it to restore a notebook's extension."""
    import_file(http, f"{folder}/n.ipynb", JUPYTER)
    asked = {"path": f"{folder}/n"}

    with_info = http.get("/api/2.0/workspace/get-status", params={**asked, "return_export_info": "true"}).json()
    without = http.get("/api/2.0/workspace/get-status", params=asked).json()

    assert with_info == {**without, "repos_export_format": "JUPYTER"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="truncated"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"nbformat": 3, "worksheets": []}', id="format 3"),
        pytest.param(b'{"cells": [{"cell_type": "code", "source": 7}]}', id="no text"),
        pytest.param(b"\xff\xfe", id="no text at all"),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
def test_broken_jupyter_file_is_refused(http: httpx.Client, folder: str, content: bytes) -> None:
    """It would be a notebook nobody can open."""
    answer = import_file(http, f"{folder}/broken.ipynb", content)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("format_", ["HTML", "DBC", "R_MARKDOWN"])
def test_other_formats_are_not_emulated(http: httpx.Client, folder: str, format_: str) -> None:
    """They are named in the refusal, both ways."""
    import_file(http, f"{folder}/n.py", SOURCE)
    body = {"path": f"{folder}/other", "content": "", "format": format_}

    for answer in (export(http, f"{folder}/n", format=format_), http.post("/api/2.0/workspace/import", json=body)):
        assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
        assert format_ in answer.json()["message"]


def test_large_content_does_not_go_in_json(http: httpx.Client, folder: str) -> None:
    """10 MB are the documented bound of `content`; a form and a raw download have room for more."""
    large = b"x" * (10 * 1024**2 + 1)
    body = {"path": f"{folder}/large", "content": base64.b64encode(large).decode(), "format": "AUTO"}

    refused = http.post("/api/2.0/workspace/import", json=body)

    assert (refused.status_code, refused.json()["error_code"]) == (400, "MAX_NOTEBOOK_SIZE_EXCEEDED")
    assert import_file(http, f"{folder}/large", large).status_code == 200
    assert export(http, f"{folder}/large").content == large
    inline = http.get("/api/2.0/workspace/export", params={"path": f"{folder}/large"})
    assert (inline.status_code, inline.json()["error_code"]) == (400, "MAX_NOTEBOOK_SIZE_EXCEEDED")


def test_tasks_find_a_notebook_with_and_without_its_extension(
    http: httpx.Client, folder: str, reopened_workspace: WorkspaceService
) -> None:
    """Bundles name it either way."""
    import_file(http, f"{folder}/n.ipynb", JUPYTER)

    assert reopened_workspace.local_path(f"/Workspace{folder}/n").read_bytes() == JUPYTER
    assert reopened_workspace.local_path(f"/Workspace{folder}/n.ipynb") == reopened_workspace.local_path(f"{folder}/n")


_code = st.text(alphabet="ab1 #=()\n'é", min_size=1).map(lambda text: text.strip()).filter(bool)
_cells = st.lists(st.one_of(_code.map(lambda text: Cell("code", text)), _code.map(lambda text: Cell("markdown", text))), min_size=1)


@given(_cells)
def test_conversion_there_and_back_keeps_every_cell(cells: list[Cell]) -> None:
    """Markdown stays Markdown, code stays code, in order."""
    written = [{"cell_type": cell.kind, "source": cell.source} for cell in cells]
    source = to_source(json.dumps({"cells": written}).encode())

    assert source_cells(source.decode(), "PYTHON") == cells
    assert to_source(to_jupyter(source, "PYTHON")) == source
