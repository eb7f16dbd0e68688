"""Notebooks and scripts in processes of their own, as tasks run them, without Spark."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.config import Layout
from harness.engines.environments import Environments
from harness.engines.processes import Lifeline
from harness.engines.tasks import TaskRunner
from harness.jobs import EnvironmentSpec, NotebookProgram, Outcome, ScriptProgram, TaskProcess

HEADER = "# Databricks notebook source\n"
BETWEEN = "\n\n# COMMAND ----------\n\n"
HOME = "/Workspace/Users/me"


@dataclass(frozen=True)
class Tried:
    """What became of a task."""

    outcome: Outcome
    folder: Path

    @property
    def printed(self) -> list[str]:
        """The lines of the task's own."""
        return [line for line in (self.folder / "stdout").read_text().splitlines() if not line.startswith("[harness]")]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A state folder."""
    return Layout(tmp_path_factory.mktemp("state")).make()


@pytest.fixture(scope="module")
def runner(layout: Layout) -> Iterator[TaskRunner]:
    """A runner with a warm parent."""
    lifeline = Lifeline()
    host = {"DATABRICKS_HOST": "http://127.0.0.1:1", "DATABRICKS_TOKEN": "t0ken"}
    runner = TaskRunner(environments=Environments(layout=layout), lifeline=lifeline, layout=layout, variables=lambda _: host)
    runner.start(lambda _: None)
    yield runner
    runner.close()
    lifeline.close()


Write = Callable[..., Path]
Try = Callable[..., Tried]


@pytest.fixture
def write(layout: Layout) -> Write:
    """Return a function that writes a file of the workspace: text, or a notebook of several cells."""

    def write(name: str, *cells: str) -> Path:
        path = layout.files / "Workspace" / "Users" / "me" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + BETWEEN.join(cells))
        return path

    return write


@pytest.fixture
def attempt(runner: TaskRunner, tmp_path: Path) -> Try:
    """Return a function that runs a notebook, or a script when it has arguments."""

    def attempt(file: Path, *arguments: str, **widgets: str) -> Tried:
        path = f"{HOME}/{file.name}"
        program = ScriptProgram(path, file, arguments) if arguments else NotebookProgram(path, file, widgets)
        folder = tmp_path / "task"
        task = TaskProcess(1, 2, "task", folder, tmp_path / "values", program, EnvironmentSpec("5"), ())
        return Tried(runner.run(task, cancelled=threading.Event(), on_running=lambda: None), folder)

    return attempt


def test_cells_share_a_namespace_and_show_their_last_expression(write: Write, attempt: Try) -> None:
    """Widgets from the job win over defaults; `await` and `!command` are understood; the result is what the notebook exits with."""
    notebook = write(
        "main",
        "dbutils.widgets.text('name', 'nobody')\ndbutils.widgets.dropdown('kind', 'a', ['a', 'b'])\nx = 1",
        "x + 1",
        "import asyncio\nawait asyncio.sleep(0)\n!echo from the shell",
        "print(dbutils.widgets.get('name'), dbutils.widgets.get('kind'), getArgument('name'))",
        "dbutils.jobs.taskValues.set('rows', 3)\ndbutils.notebook.exit('done')",
        "print('never')",
    )

    tried = attempt(notebook, name="Ann")

    assert tried.outcome == Outcome("SUCCESS", notebook_result="done")
    assert tried.printed == ["Out[0]: 2", "from the shell", "Ann a Ann", "Notebook exited: done"]
    assert json.loads((tried.folder.parent / "values" / "task.json").read_text()) == {"rows": 3}


def test_a_notebook_without_exit_succeeds_without_a_result(write: Write, attempt: Try) -> None:
    """And an empty one too."""
    assert attempt(write("main", "y = 1")).outcome == Outcome("SUCCESS")


def test_another_notebook_is_run_in_the_same_namespace(write: Write, attempt: Try) -> None:
    """By a relative path, with values for its widgets; what it exits with ends both."""
    write("parts/helpers", "greeting = 'hello ' + dbutils.widgets.get('who')\nx = 2")
    write("parts/leaves", "dbutils.notebook.exit('left')")
    notebook = write("main", '%run ./parts/helpers $who="you"', "print(greeting, x)", f"%run {HOME}/parts/leaves", "print('never')")

    tried = attempt(notebook)

    assert tried.outcome.notebook_result == "left"
    assert tried.printed[0] == "hello you 2"


def test_a_failing_cell_fails_the_task_and_is_named(write: Write, attempt: Try) -> None:
    """The traceback has the notebook, the cell and the line, and no line of the harness's own."""
    tried = attempt(write("main", "a = 1", "def f():\n    return a / 0\n\nf()", "print('never')"))

    assert tried.outcome.result == "FAILED"
    assert tried.outcome.error == "ZeroDivisionError: division by zero"
    assert f'File "{HOME}/main, cell 2", line 2, in f' in tried.outcome.error_trace
    assert "harness_guest" not in tried.outcome.error_trace
    record = json.loads((tried.folder / "notebook.ipynb").read_text())
    assert [cell["outputs"][0]["ename"] if cell["outputs"] else None for cell in record["cells"]] == [None, "ZeroDivisionError"]


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        pytest.param("# MAGIC %scala\n# MAGIC val x = 1", "main, cell 1: %scala is not emulated", id="other language"),
        pytest.param("%nonsense", "Line magic function `%nonsense` not found", id="unknown magic"),
        pytest.param("%run ./nowhere", f"no notebook at ./nowhere ({HOME}/nowhere)", id="run of nothing"),
        pytest.param("dbutils.widgets.get('x')", "No input widget named x is defined; defined: none", id="no widget"),
        pytest.param("x ===", "SyntaxError", id="syntax"),
        pytest.param("dbutils.fs.mount('a', 'b')", "serverless compute has no mounts; use a volume", id="mounts"),
        pytest.param("dbutils.credentials.showRoles()", "dbutils.credentials.showRoles is not emulated", id="other parts"),
        pytest.param("sc.parallelize([1])", "serverless compute has Spark Connect only", id="context"),
        pytest.param("%pip install no-such-distribution-there-is", "No solution found", id="pip"),
    ],
)
def test_what_cannot_be_done_fails_by_name(write: Write, attempt: Try, cell: str, error: str) -> None:
    """A cell that did not do what it says is never a success."""
    tried = attempt(write("main", cell))

    assert tried.outcome.result == "FAILED"
    assert error in tried.outcome.error


def test_pip_installs_for_this_task_and_restarting_forgets(
    write: Write, attempt: Try, layout: Layout, make_wheel: Callable[..., Path]
) -> None:
    """From a wheel of a volume; after a restart nothing is defined."""
    wheel = make_wheel("probe-pip", "answer = 42")
    volume = layout.files / "Volumes" / "main" / "ml" / "wheels"
    volume.mkdir(parents=True)
    wheel.rename(volume / wheel.name)
    notebook = write(
        "main",
        f"%pip install /Volumes/main/ml/wheels/{wheel.name}",
        "import probe_pip\nx = probe_pip.answer\nprint(x)",
        "dbutils.library.restartPython()",
        "print('x' in globals(), 'dbutils' in globals())",
    )

    tried = attempt(notebook)

    assert tried.outcome.result == "SUCCESS", tried.outcome
    assert tried.printed[-2:] == ["42", "False True"]


def test_pip_leaves_alone_what_is_there(write: Write, attempt: Try, make_wheel: Callable[..., Path], layout: Layout) -> None:
    """What the environment has already is not installed again: it would be another copy, of compiled code that cannot be loaded twice."""
    wheel = make_wheel("probe-alone", "answer = 42")
    (layout.files / "Workspace" / "wheels").mkdir(parents=True)
    wheel.rename(layout.files / "Workspace" / "wheels" / wheel.name)
    notebook = write(
        "main",
        "%pip install numpy pandas",
        f"%pip install numpy /Workspace/wheels/{wheel.name}",
        "dbutils.library.restartPython()",
        "import numpy, probe_alone\nprint(probe_alone.answer, 'packages' in numpy.__file__.split('site-packages')[0])",
    )

    tried = attempt(notebook)

    assert tried.outcome.result == "SUCCESS", tried.outcome
    assert "Requirements already satisfied: numpy pandas" in tried.printed
    assert tried.printed[-1] == "42 False"


def test_a_restart_goes_on_with_the_next_cell_of_an_included_notebook(write: Write, attempt: Try) -> None:
    """The rest of the restarting cell is not run; widgets stay; another version of compiled code is seen."""
    write("setup", "%pip install numpy==2.2.6", "dbutils.library.restartPython()\nprint('not reached')", "print('rest of setup')")
    notebook = write(
        "main",
        "import numpy\ndbutils.widgets.text('a', 'declared')\nx = 1",
        "%run ./setup",
        "import numpy\nprint(numpy.__version__, dbutils.widgets.get('a'), 'x' in globals())",
        "dbutils.notebook.exit('end')",
    )

    tried = attempt(notebook)

    assert tried.outcome.result == "SUCCESS", tried.outcome
    assert tried.outcome.notebook_result == "end"
    assert tried.printed[-3:] == ["rest of setup", "2.2.6 declared False", "Notebook exited: end"]


def test_files_of_volumes_and_of_the_workspace_are_plain_files(write: Write, attempt: Try, layout: Layout) -> None:
    """For `open`, `pathlib`, `os`, `shutil`, pandas and `dbutils.fs`; the working directory is the notebook's."""
    (layout.files / "Volumes" / "main" / "ml" / "raw").mkdir(parents=True, exist_ok=True)
    notebook = write(
        "main",
        "import os, pathlib, shutil, pandas as pd\nroot = '/Volumes/main/ml/raw'",
        "with open(f'{root}/a.csv', 'w') as file:\n    file.write('x\\n1\\n')",
        "shutil.copy(f'{root}/a.csv', f'{root}/b.csv')\npathlib.Path(root, 'sub').mkdir(exist_ok=True)",
        "print(sorted(os.listdir(root)), pd.read_csv(f'{root}/b.csv').x.sum(), pathlib.Path(root, 'a.csv').exists())",
        "dbutils.fs.cp('dbfs:' + root + '/a.csv', root + '/sub/c.csv')\nprint([f.path for f in dbutils.fs.ls(root + '/sub')])",
        f"print(os.path.basename(os.getcwd()), os.path.isfile('{HOME}/main'))",
        "dbutils.fs.rm(root + '/sub', True)\nprint(os.path.exists(root + '/sub'))",
    )

    tried = attempt(notebook)

    assert tried.outcome.result == "SUCCESS", tried.outcome
    assert tried.printed == [
        "['a.csv', 'b.csv', 'sub'] 1 True",
        "['dbfs:/Volumes/main/ml/raw/sub/c.csv']",
        "me True",
        "False",
    ]


def test_modules_of_the_folder_that_cd_leads_to_can_be_imported(write: Write, attempt: Try, layout: Layout) -> None:
    """As in any IPython; those beside the notebook still can."""
    for folder, name in (("", "above"), ("notebooks", "beside")):
        place = layout.files / HOME.lstrip("/") / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}_it.py").write_text(f"said = {name!r}\n")
    notebook = write("notebooks/main", "%cd ..", "import above_it, beside_it\nprint(above_it.said, beside_it.said)")

    tried = attempt(notebook)

    assert tried.outcome.result == "SUCCESS", tried.outcome
    assert tried.printed[-1] == "above beside"


def test_other_paths_of_dbfs_have_one_root(write: Write, attempt: Try, layout: Layout) -> None:
    """Python sees it as `/dbfs`, as on the platform; with and without the scheme it is the same file."""
    notebook = write(
        "main",
        "dbutils.fs.put('dbfs:/FileStore/a.txt', 'hello')\nprint(open('/dbfs/FileStore/a.txt').read())",
        "print([f.path for f in dbutils.fs.ls('/FileStore')], dbutils.fs.head('/FileStore/a.txt'))",
    )

    tried = attempt(notebook)

    assert tried.outcome.result == "SUCCESS", tried.outcome
    assert tried.printed[-2:] == ["hello", "['dbfs:/FileStore/a.txt'] hello"]
    assert (layout.files / "dbfs" / "FileStore" / "a.txt").read_text() == "hello"


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        pytest.param("DataFrame.cache(None)", "[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE", id="cache"),
        pytest.param("SparkSession.sql(None, 'CACHE TABLE t')", "[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE", id="cache by SQL"),
        pytest.param("RuntimeConf.set(None, 'spark.sql.adaptive.enabled', 'true')", "[CONFIG_NOT_AVAILABLE]", id="conf"),
        pytest.param("SparkSession.sql(None, 'SET spark.executor.memory=1g')", "[CONFIG_NOT_AVAILABLE]", id="conf by SQL"),
        pytest.param("DataFrame.createGlobalTempView(None, 'v')", "GLOBAL TEMPORARY VIEW is not supported", id="global view"),
        pytest.param(
            "DataStreamWriter.trigger(None, processingTime='1 second')",
            "[INFINITE_STREAMING_TRIGGER_NOT_SUPPORTED] Trigger type ProcessingTime",
            id="endless stream",
        ),
    ],
)
def test_what_serverless_refuses_is_refused_in_its_words(write: Write, attempt: Try, cell: str, error: str) -> None:
    """Before anything reaches Spark."""
    imports = (
        "from pyspark.sql.connect.conf import RuntimeConf\nfrom pyspark.sql.connect.dataframe import DataFrame\n"
        "from pyspark.sql.connect.session import SparkSession\nfrom pyspark.sql.connect.streaming.readwriter import DataStreamWriter"
    )

    tried = attempt(write("main", imports, cell))

    assert tried.outcome.result == "FAILED"
    assert error in tried.outcome.error


def test_a_script_is_a_program(write: Write, attempt: Try) -> None:
    """With its arguments, its own file and the modules beside it."""
    (write("beside.py").parent / "beside.py").write_text("word = 'beside'\n")
    script = write(
        "script.py",
        "import sys, pathlib, beside\nif __name__ == '__main__':\n    print(sys.argv[1:], beside.word, pathlib.Path(__file__).name)",
    )

    tried = attempt(script, "--rows", "5")

    assert tried.outcome == Outcome("SUCCESS")
    assert tried.printed == ["['--rows', '5'] beside script.py"]
