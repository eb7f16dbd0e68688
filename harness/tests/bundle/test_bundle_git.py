"""`${bundle.git.…}`: what templates hand to their notebooks to say which code it was."""

import subprocess
from pathlib import Path

import pytest

from harness.bundle import Choice, Identity, read_offline
from harness.bundle.git import read_git

AUTHOR = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, on a branch."""
    for command in (
        ["init", "--quiet", "--initial-branch", "trial"],
        ["remote", "add", "origin", "https://example.com/a.git"],
        [*AUTHOR, "commit", "--quiet", "--allow-empty", "-m", "Begin"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, capture_output=True)
    return tmp_path


def test_git_of_a_folder_in_a_repository(repository: Path) -> None:
    """Branch, commit and origin, from any folder below."""
    (repository / "project").mkdir()

    found = read_git(repository / "project")

    assert (found["branch"], found["origin_url"], len(found["commit"])) == ("trial", "https://example.com/a.git", 40)


def test_git_without_a_branch(repository: Path) -> None:
    """A checkout of a commit, as a CI has it, has no branch."""
    subprocess.run(["git", "-C", str(repository), "checkout", "--quiet", "--detach"], check=True, capture_output=True)

    assert read_git(repository)["branch"] == ""


def test_git_of_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that lies in no repository has empty ones, and so has one where git is not installed."""
    nothing = {"branch": "", "commit": "", "origin_url": ""}
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert read_git(tmp_path) == nothing
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_git(tmp_path) == nothing


def test_a_bundle_names_its_repository(repository: Path) -> None:
    """What it says of itself goes first."""
    folder = repository / "project"
    folder.mkdir()
    source = "${bundle.git.origin_url} ${bundle.git.branch} ${bundle.git.commit}"
    task = "{task_key: c, condition_task: {op: EQUAL_TO, left: a, right: a}}"
    (folder / "databricks.yml").write_text(
        f"bundle: {{name: b, git: {{branch: mine}}}}\nresources: {{jobs: {{j: {{description: '{source}', tasks: [{task}]}}}}}}\n"
    )

    found = read_offline(folder, Identity("ann@example.com", "http://127.0.0.1:1"), Choice())

    assert found.resources[0].body["description"] == f"https://example.com/a.git mine {read_git(folder)['commit']}"
