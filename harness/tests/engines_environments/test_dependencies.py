"""Dependencies as they are written, read without an environment; and folders that are made once."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.dependencies import read_dependencies
from harness.engines.folders import made_once, remove_unused
from harness.errors import UserError

MakeWheel = Callable[..., Path]


def test_files_name_files_beside_them(make_wheel: MakeWheel, tmp_path: Path) -> None:
    """Nested ones are relative to the file they stand in; so are wheels, and absolute paths are the workspace's."""
    wheel = make_wheel("probe", "")
    files = tmp_path / "Workspace" / "project"
    (files / "more").mkdir(parents=True)
    (files / "requirements.txt").write_text("# ours\npandas>=2  # frames\n-r more/others.txt\n-c limits.txt\n")
    (files / "more" / "others.txt").write_text(
        f"numpy \\\n  >=2\n../wheels/{wheel.name}[plots]\n--requirement=/Workspace/project/last.txt\n"
    )
    (files / "last.txt").write_text("scipy; python_version > '3'\n")
    (files / "limits.txt").write_text("numpy<3\n")
    (files / "wheels").mkdir()
    placed = files / "wheels" / wheel.name
    placed.write_bytes(wheel.read_bytes())

    found = read_dependencies(
        [f"-r {files / 'requirements.txt'}"], locate=lambda path: Path(path if path.startswith(str(tmp_path)) else f"{tmp_path}{path}")
    )

    assert [str(requirement) for requirement in found.requirements] == ["pandas>=2", "numpy>=2", 'scipy; python_version > "3"']
    assert [(path.resolve(), extras) for path, extras in found.extras.items()] == [(placed, "plots")]
    assert found.constraints == ("numpy<3",)


def test_indexes_are_handed_to_uv(tmp_path: Path) -> None:
    """As options, wherever they stand; folders of wheels are relative to their file."""
    file = tmp_path / "requirements.txt"
    file.write_text("--extra-index-url https://index.example/simple\n--find-links=wheels\n--pre\nmine==1\n")

    found = read_dependencies(["--index-url https://first.example/simple", f"-r {file}"])

    assert found.options == (
        *("--index-url", "https://first.example/simple"),
        *("--extra-index-url", "https://index.example/simple"),
        *("--find-links", str(tmp_path / "wheels")),
        "--pre",
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("-e ../package", "'-e ../package': editable installs are not supported; build a wheel of the folder", id="editable"),
        pytest.param("./package", "'./package' is a folder or a source archive, which is not supported; build a wheel", id="folder"),
        pytest.param("/Workspace/x/package", "'/Workspace/x/package' is a folder or a source archive", id="absolute folder"),
        pytest.param("--trusted-host x.example", "option '--trusted-host' is not supported; expected one of -r, ", id="other option"),
        pytest.param("pandas=2", "'pandas=2' is not a requirement", id="no requirement"),
        pytest.param("-r gone.txt", "gone.txt: no such requirements file", id="no such file"),
        pytest.param("-r requirements.txt", "requirements files name each other in a circle", id="circle"),
    ],
)
def test_what_is_not_supported_is_refused_with_its_file(tmp_path: Path, line: str, message: str) -> None:
    """By name, and what to do."""
    file = tmp_path / "requirements.txt"
    file.write_text(f"pandas\n{line}\n")

    with pytest.raises(UserError) as refused:
        read_dependencies([f"-r {file}"])

    assert str(tmp_path) in str(refused.value)
    assert message in str(refused.value)


NAMES = st.lists(st.sampled_from(["pandas", "numpy>=2", "scipy==1.16.3", "--pre", "mlflow[extras]"]), max_size=4)


@given(one=NAMES, other=NAMES)
def test_what_differs_has_another_key(one: list[str], other: list[str]) -> None:
    """And what is the same has the same, on one base."""
    same = read_dependencies(one) == read_dependencies(other)

    assert (read_dependencies(one).key("base") == read_dependencies(other).key("base")) == same
    assert read_dependencies(one).key("base") != read_dependencies(one).key("another base")


def test_a_wheel_named_by_address_counts_with_its_content(make_wheel: MakeWheel) -> None:
    """Its name stays the same."""
    address = make_wheel("probe", "V = 1").as_uri()
    before = read_dependencies([f"probe @ {address}"]).key("base")
    make_wheel("probe", "V = 2")

    assert read_dependencies([f"probe @ {address}"]).key("base") != before


def test_two_who_want_the_same_make_it_once(tmp_path: Path) -> None:
    """The second waits, says so, and finds it complete."""
    folder, begun, go_on = tmp_path / "overlay", threading.Event(), threading.Event()
    said: list[str] = []
    made: list[bool] = []

    def second() -> None:
        with made_once(folder, lambda: (said.append("waiting"), go_on.set())[0]) as fresh:
            made.append(fresh is not None)
            assert (folder / "content").read_text() == "whole"

    thread = threading.Thread(target=second)
    with made_once(folder) as fresh:
        assert fresh is not None
        (fresh / "content").write_text("half")
        thread.start()
        assert go_on.wait(10)
        (fresh / "content").write_text("whole")
        begun.set()
    thread.join(10)

    assert (said, made) == (["waiting"], [False])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["overlay"]


def test_what_could_not_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    """And is made by the next."""
    folder = tmp_path / "overlay"

    def fail() -> None:
        with made_once(folder) as fresh:
            assert fresh is not None
            (fresh / "half").touch()
            raise UserError("no network")

    with pytest.raises(UserError, match="no network"):
        fail()

    assert list(tmp_path.iterdir()) == []
    with made_once(folder) as fresh:
        assert fresh == folder
    assert (folder / ".complete").exists()


def test_what_nobody_has_used_for_long_goes(tmp_path: Path) -> None:
    """What was used since, what is in use and what is being made stay."""
    for name in ("old", "used again", "in use", "new"):
        with made_once(tmp_path / name):
            pass
        if name != "new":
            os.utime(tmp_path / name / ".complete", (time.time() - 40 * 86400,) * 2)
    (tmp_path / "being made").mkdir()
    with made_once(tmp_path / "used again") as fresh:
        assert fresh is None

    assert remove_unused(tmp_path, days=30, in_use=[tmp_path / "in use"]) == [tmp_path / "old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["being made", "in use", "new", "used again"]
