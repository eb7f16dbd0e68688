"""The package's surface: names, imports, console scripts, the README."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import serving_client
from serving_client.tasks import batch_inference, deploy


@pytest.mark.parametrize(("task", "flag"), [(deploy, "--model-full-name"), (batch_inference, "--request-columns")])
def test_tasks_explain_themselves(task: Any, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each console script has a --help."""
    with pytest.raises(SystemExit) as ended:
        task(["--help"])
    assert ended.value.code == 0
    assert flag in capsys.readouterr().out


def test_all_lists_the_public_names() -> None:
    """`__all__` is sorted and names what exists."""
    assert serving_client.__all__ == sorted(serving_client.__all__)
    assert all(hasattr(serving_client, name) for name in serving_client.__all__)


def test_importing_starts_nothing_heavy() -> None:
    """Neither Spark nor MLflow comes with the import."""
    code = "import serving_client, sys; print(sorted({'pyspark', 'mlflow', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_readme_run(make_platform: Callable[..., Any]) -> None:
    """What the README shows is true, on a platform in memory."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    platform = make_platform("1")
    names: dict[str, Any] = {
        "workspace": platform,
        "registry": platform,
        "example": {"dataframe_records": [{"price": 1.0}, {"price": 2.0}]},
    }
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    for code in blocks:
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - our own README
    assert len(blocks) == 3
    assert platform.serving() == {"returns-3": 100}
    assert platform.request_ids[-3] == "order-7"


def test_the_readme_names_what_is_public() -> None:
    """Everything that can be imported is said to be there."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert [name for name in serving_client.__all__ if name not in text] == []
