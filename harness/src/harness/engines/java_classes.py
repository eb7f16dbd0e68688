"""The Java catalog plug-in: compiled on the user's machine, once for each version of its sources and of what they stand on."""

import hashlib
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.config import cache_folder
from harness.engines.jars import Jars
from harness.engines.java import class_path, java, spark_jars
from harness.errors import UserError

SOURCES = Path(__file__).resolve().parent / "java_sources"
_RELEASE = "17"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made


def compiled_jar(jars: Jars, progress: Callable[[str], None], *, cache: Path | None = None, sources: Path = SOURCES) -> Path:
    """Return a jar with the classes of `sources`, compiling them when the cache has none.

    A jar and not a folder: Java's AOT cache accepts no folders on the class path.
    """
    files = sorted(sources.rglob("*.java"))
    libraries = [*jars.delta, *spark_jars()]
    jar = (cache or cache_folder()) / "classes" / _key(files, [*libraries, jars.compiler]) / "harness-catalog.jar"
    if not jar.is_file():
        progress("compiling the catalog plug-in (once)")
        _compile(files, jar, compiler=jars.compiler, libraries=libraries)
    return jar


def _key(files: Sequence[Path], libraries: Sequence[Path]) -> str:
    digest = hashlib.sha256(_RELEASE.encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    for library in libraries:
        digest.update(f"{library.name} {library.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


def _compile(files: Sequence[Path], jar: Path, *, compiler: Path, libraries: Sequence[Path]) -> None:
    jar.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jar.parent, prefix=".compiling-") as scratch:
        classes = Path(scratch) / "classes"
        arguments = ["-nowarn", "-source", _RELEASE, "-target", _RELEASE, "-encoding", "UTF-8", "-proc:none"]
        done = subprocess.run(
            [str(java()), "-jar", str(compiler), *arguments, "-d", str(classes), "-cp", class_path(libraries), *map(str, files)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"{files[0].parent}: the catalog plug-in does not compile against pyspark's jars:\n{done.stderr}{done.stdout}"
            raise UserError(message)
        half_made = Path(scratch) / jar.name
        _pack(classes, half_made)
        half_made.replace(jar)


def _pack(classes: Path, jar: Path) -> None:
    with zipfile.ZipFile(jar, "w") as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.writestr(zipfile.ZipInfo(path.relative_to(classes).as_posix(), _EPOCH), path.read_bytes())
