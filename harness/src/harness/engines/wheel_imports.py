"""What the modules of a wheel import, read without running them, and which distributions provide that.

A hint: names only tell so much.
"""

import ast
import sys
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

# Modules whose distribution has another name and need not be installed here.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "sklearn": ("scikit-learn",),
    "yaml": ("pyyaml",),
    "PIL": ("pillow",),
    "cv2": ("opencv-python", "opencv-python-headless"),
    "bs4": ("beautifulsoup4",),
    "dateutil": ("python-dateutil",),
    "dotenv": ("python-dotenv",),
    "jwt": ("pyjwt",),
    "attr": ("attrs",),
    "pkg_resources": ("setuptools",),
    "mlflow": ("mlflow", "mlflow-skinny"),
    "skimage": ("scikit-image",),
    "delta": ("delta-spark",),
}
# What every serverless environment has, beside the pins noted in platform_versions.py.
_ALWAYS = frozenset({"pyspark", "databricks", "dbruntime", "IPython", "py4j", "pip"})


@dataclass(frozen=True, slots=True)
class Imports:
    """Which modules a wheel brings, and which others it imports whenever one of its modules is imported."""

    own: frozenset[str]
    needed: frozenset[str]


def read_imports(wheel: Path) -> Imports:
    """Return what a wheel's modules import at their top level; what is tried, typed or imported later does not count."""
    own: set[str] = set()
    needed: set[str] = set()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            top = name.partition("/")[0]
            if top.endswith((".dist-info", ".data")):
                continue
            own.add(top.partition(".")[0])
            if name.endswith(".py"):
                needed.update(_imported(archive.read(name), name))
    return Imports(frozenset(own), frozenset(needed - own - sys.stdlib_module_names))


def undeclared(imports: Imports, provided: Collection[str], beside: Collection[str]) -> list[str]:
    """Return the modules that no distribution in `provided` has, as far as names tell; `beside` are modules of other wheels."""
    here = packages_distributions()
    return sorted(
        module
        for module in imports.needed - _ALWAYS - set(beside)
        if not {canonicalize_name(name) for name in (*_OTHER_NAMES.get(module, ()), *here.get(module, ()), module)} & set(provided)
    )


def _imported(source: bytes, name: str) -> Iterator[str]:
    try:
        tree = ast.parse(source, name)
    except (SyntaxError, ValueError):  # written for a Python newer than this one, or no text
        return
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            yield (statement.module or "").partition(".")[0]
