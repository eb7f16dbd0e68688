"""Delta's jars and the Java compiler: fetched once with the Ivy that pyspark ships, checked, kept in the user's cache."""

import errno
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.config import cache_folder
from harness.engines.java import java, spark_jars
from harness.engines.java_trust import trust_options
from harness.errors import UserError

_FETCH_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of Maven's, and the only content we accept for it."""

    organisation: str
    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """`name-version.jar`."""
        return f"{self.name}-{self.version}.jar"


# The rest of Delta's POM (Hadoop, Parquet, Jackson …) is in pyspark already, so each is fetched alone, without what it names.
DELTA = (
    Artifact("io.delta", "delta-spark_4.2_2.13", "4.4.0", "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead"),
    Artifact("io.delta", "delta-storage", "4.4.0", "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc"),
    Artifact("io.delta", "delta-kernel-api", "4.4.0", "ee9b5a14ac3b7efdff4d61a58478fe8eb0e5a3fbca43889dca7290795fe79a11"),
    Artifact("io.delta", "delta-kernel-defaults", "4.4.0", "225c975199e4718b38ee5b7e6da7f19e9585024262b2cec2656b32151a856b0b"),
    Artifact("io.delta", "delta-kernel-unitycatalog", "4.4.0", "cea22dfb4ac562b3cd27bf652697750e8336009d73fb06631363aaaad5345ffa"),
    Artifact("io.unitycatalog", "unitycatalog-client", "0.6.0", "48257499a86b801a3e2372cec55ac226ca1c1c7eabe5c118e7302f29a1fdbc19"),
    Artifact("io.unitycatalog", "unitycatalog-hadoop", "0.6.0", "c47b63c961c87102b9e1d63809a0915ba4c86b7652f57c8d39ca3a05b441a150"),
)
COMPILER = Artifact("org.eclipse.jdt", "ecj", "3.43.0", "c786468c65e906498e7e36ece4e0d04c6d3dd34c9a61b34a3a5b512801911a82")

Fetch = Callable[[Sequence[Artifact], Path], None]


@dataclass(frozen=True, slots=True)
class Jars:
    """Where the files are."""

    delta: tuple[Path, ...]
    compiler: Path


def resolve_jars(progress: Callable[[str], None], *, cache: Path | None = None, fetch: Fetch | None = None) -> Jars:
    """Return the jars' paths, fetching them when the cache has none; what is returned has the pinned contents.

    The folder appears whole or not at all, so a run that is killed half-way leaves nothing that a later one would trust.
    """
    artifacts = (*DELTA, COMPILER)
    folder = (cache or cache_folder()) / "jars" / _key(artifacts)
    if not folder.is_dir():
        progress(f"fetching Delta's {len(DELTA)} jars and the Java compiler (17 MB, once)")
        try:
            _fill(folder, artifacts, fetch or fetch_with_ivy)
        except OSError as error:
            raise _disk_error(error, folder) from error
    check(artifacts, folder)
    return Jars(delta=tuple(folder / artifact.file_name for artifact in DELTA), compiler=folder / COMPILER.file_name)


def check(artifacts: Sequence[Artifact], folder: Path) -> None:
    """Raise a UserError naming the first file in `folder` that is missing or differs from its pinned sum."""
    for artifact in artifacts:
        path = folder / artifact.file_name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        if found != artifact.sha256:
            message = f"{path}: expected SHA-256 {artifact.sha256}, found {found}; delete {folder} and start again to fetch it anew"
            raise UserError(message)


def fetch_with_ivy(artifacts: Sequence[Artifact], folder: Path) -> None:
    """Put the files of `artifacts` into `folder`, from wherever Ivy's own default settings find them.

    The home and the Ivy folder are empty ones of ours: Ivy would ask `~/.m2` first, and a POM without its jar there makes it fail for good.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        work = Path(scratch)
        (work / "home").mkdir()
        (work / "ivy.xml").write_text(_module(artifacts))
        command = [
            str(java()),
            f"-Duser.home={work / 'home'}",
            *trust_options(work),
            *("-cp", str(next(jar for jar in spark_jars() if jar.name.startswith("ivy-"))), "org.apache.ivy.Main"),
            *_settings(),
            *("-cache", str(work / "cache"), "-ivy", str(work / "ivy.xml"), "-types", "jar"),
            *("-retrieve", f"{folder}/[artifact]-[revision].[ext]"),
        ]
        log = work / "ivy.log"
        with log.open("wb") as output:
            status = subprocess.run(command, stdout=output, stderr=output, timeout=_FETCH_SECONDS, check=False).returncode
        if status != 0:
            raise _fetch_error(log.read_text(errors="replace"))


def _fill(folder: Path, artifacts: Sequence[Artifact], fetch: Fetch) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        half_made = Path(scratch) / "jars"
        half_made.mkdir()
        fetch(artifacts, half_made)
        check(artifacts, half_made)
        try:
            half_made.rename(folder)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            shutil.rmtree(half_made)  # another process was first; its files have the same sums


def _key(artifacts: Sequence[Artifact]) -> str:
    return hashlib.sha256("\n".join(f"{artifact.file_name} {artifact.sha256}" for artifact in artifacts).encode()).hexdigest()[:16]


def _module(artifacts: Sequence[Artifact]) -> str:
    lines = [
        f'<dependency org="{a.organisation}" name="{a.name}" rev="{a.version}" transitive="false" conf="default->master"/>'
        for a in artifacts
    ]
    return (
        f'<ivy-module version="2.0"><info organisation="harness" module="jars"/><dependencies>{"".join(lines)}</dependencies></ivy-module>'
    )


def _settings() -> list[str]:
    settings = os.environ.get("HARNESS_IVY_SETTINGS")  # a company's mirror: the path of an ivysettings.xml
    return ["-settings", settings] if settings else []


def _fetch_error(log: str) -> UserError:
    reasons = [line.strip() for line in log.splitlines() if "Exception" in line or "not found" in line]
    reason = reasons[0] if reasons else " ".join(log.split())[-300:]
    return UserError(
        "could not fetch Delta's jars: expected access to Maven's central repository on the first start "
        f"({reason}). Connect and start again; behind a proxy set JAVA_TOOL_OPTIONS=-Dhttps.proxyHost=…, "
        "with a mirror set HARNESS_IVY_SETTINGS to an ivysettings.xml"
    )


def _disk_error(error: OSError, folder: Path) -> UserError:
    what = "no space left on the disk" if error.errno == errno.ENOSPC else str(error)
    return UserError(
        f"{folder}: cannot keep Delta's jars ({what}); expected about 40 MB; free some, or point HARNESS_CACHE at another folder"
    )
