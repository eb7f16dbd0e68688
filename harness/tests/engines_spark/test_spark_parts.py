"""Jars, classes and caches: whole and checked, or not there."""

import errno
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.engines import jars
from harness.engines.jars import Artifact
from harness.engines.spark_aot import _only_one
from harness.errors import UserError


def quiet(_: str) -> None:
    """Progress that nobody reads."""


def wrong_content(artifacts: Sequence[Artifact], folder: Path) -> None:
    """Deliver files that are not what was ordered."""
    for artifact in artifacts:
        (folder / artifact.file_name).write_bytes(b"something else")


def test_jar_with_another_content_is_refused_and_not_kept(tmp_path: Path) -> None:
    """The error names file, expected and found sum and what to do; the cache stays empty."""
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(
        UserError, match=rf"delta-spark_4.2_2.13-4.4.0.jar: expected SHA-256 27d4fd8b.*, found {found}; delete .* start again"
    ):
        jars.resolve_jars(quiet, cache=tmp_path, fetch=wrong_content)
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".jar"] == []


def test_fetch_that_stops_half_way_leaves_nothing(tmp_path: Path) -> None:
    """A run that dies while fetching is as if it had never been."""

    def dies(artifacts: Sequence[Artifact], folder: Path) -> None:
        (folder / artifacts[0].file_name).write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jars.resolve_jars(quiet, cache=tmp_path, fetch=dies)
    assert list((tmp_path / "jars").iterdir()) == []


def test_full_disk_is_said_plainly(tmp_path: Path) -> None:
    """No space left is a clear sentence with the folder and the way out."""

    def full(_: Sequence[Artifact], __: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match=r"no space left on the disk.*HARNESS_CACHE"):
        jars.resolve_jars(quiet, cache=tmp_path, fetch=full)


def test_no_network_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ivy's failure becomes one sentence: what could not be fetched, why, what to do."""
    settings = tmp_path / "ivysettings.xml"
    nowhere = (
        '<ivysettings><settings defaultResolver="d"/><resolvers><filesystem name="d"><artifact pattern="/nowhere/[artifact]"/></filesystem>'
    )
    settings.write_text(nowhere + "</resolvers></ivysettings>")
    monkeypatch.setenv("HARNESS_IVY_SETTINGS", str(settings))
    with pytest.raises(UserError, match=r"could not fetch Delta's jars: expected access .*not found.*behind a proxy"):
        jars.resolve_jars(quiet, cache=tmp_path)


def test_only_one_process_makes_the_cache(tmp_path: Path) -> None:
    """The second to come does not get the lock; once it is let go, it does."""
    lock = tmp_path / "x.lock"
    with _only_one(lock) as first, _only_one(lock) as second:
        assert (first, second) == (True, False)
    with _only_one(lock) as third:
        assert third
