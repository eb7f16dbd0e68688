"""Wheels written by hand: no build back end is needed."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

MakeWheel = Callable[..., Path]


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Return a function that writes the wheel of one module and returns its path."""

    def make(
        name: str,
        source: str,
        *,
        version: str = "1.0",
        requires: tuple[str, ...] = (),
        points: Mapping[str, str] | None = None,
        group: str = "console_scripts",
        python: str = "",
    ) -> Path:
        module = name.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        folder = tmp_path / "wheels"
        folder.mkdir(exist_ok=True)
        path = folder / f"{module}-{version}-py3-none-any.whl"
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {line}" for line in requires)]
        metadata += [f"Requires-Python: {python}"] if python else []
        files = {
            f"{module}.py": source,
            f"{info}/METADATA": "\n".join(metadata) + "\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in (points or {}).items()),
        }
        with zipfile.ZipFile(path, "w") as wheel:
            for file, text in files.items():
                wheel.writestr(file, text)
            wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))
        return path

    return make
