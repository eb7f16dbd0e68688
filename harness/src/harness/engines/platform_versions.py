"""What the platform's serverless environment versions hold, and how that differs from what is installed here."""

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.errors import UserError

# Versions as in github.com/databricks/environments, python/serverless/serverless-v{1..6}/pyproject.toml. A library that a version lists
# without being noted here is not known here; nor are pip, pyspark and the system's own packages, which that repository leaves out.
_LIBRARIES = (
    "databricks-connect", "pandas", "numpy", "pyarrow", "scikit-learn", "scipy", "pydantic", "mlflow-skinny", "databricks-sdk", "protobuf",
    "deltalake",
)  # fmt: skip
_TABLE: Mapping[str, tuple[str, ...]] = {
    "1": ("3.10", "14.3.7", "1.5.3", "1.23.5", "8.0.0", "1.1.1", "1.10.0", "1.10.6", "", "0.20", "4.25.5", ""),
    "2": ("3.11", "15.4.5", "1.5.3", "1.23.5", "14.0.1", "1.3.0", "1.11.1", "1.10.6", "2.11.4", "0.40", "5.29.3", ""),
    "3": ("3.12", "16.4.2", "", "1.26.4", "15.0.2", "1.4.2", "1.13.1", "2.8.2", "2.21.3", "0.49", "", ""),
    "4": ("3.12", "17.2.3", "2.2.3", "2.1.3", "19.0.1", "1.6.1", "1.15.1", "2.10.6", "2.22.0", "0.49", "", ""),
    "5": ("3.12", "18.0", "2.2.3", "2.1.3", "21.0.0", "1.6.1", "1.15.3", "2.10.6", "3.8.1", "0.67", "5.29.4", "1.1.4"),
    "6": ("3.12", "19.1.0", "2.3.3", "2.3.4", "21.0.0", "1.7.2", "1.16.3", "2.13.3", "3.12.0", "0.122", "6.33.5", "1.5.1"),
}


@dataclass(frozen=True, slots=True)
class PlatformVersion:
    """One environment version: its Python and the libraries it pins."""

    version: str
    python: str
    pins: Mapping[str, str]

    def specifiers(self) -> dict[str, SpecifierSet]:
        """Return which versions each pin allows."""
        return {name: allowed(pinned) for name, pinned in self.pins.items()}

    def constraints(self) -> list[str]:
        """Return the pins as lines of a constraints file."""
        return [f"{name}{allowed}" for name, allowed in self.specifiers().items()]


def allowed(pinned: str) -> SpecifierSet:
    """Return which versions a pin allows: those are written `~=`, so the last of three parts may be higher.

    Assumption: what is noted with two parts only (0.49) was pinned with three (~=0.49.0).
    """
    three = pinned if pinned.count(".") > 1 else f"{pinned}.0"
    return SpecifierSet(f"~={three}")


PLATFORM: Mapping[str, PlatformVersion] = {
    version: PlatformVersion(version, python, {name: pinned for name, pinned in zip(_LIBRARIES, pins, strict=True) if pinned})
    for version, (python, *pins) in _TABLE.items()
}


# Versions that a base of their own can be made for, with the pins that cannot be kept there: pyspark-client 4.2, which reaches the engine,
# needs grpcio-status 1.76 and so protobuf 6 (against v5's 5.29). Measured by resolving each: v1 to v3 cannot, since pandas 1.5, pyarrow 15
# and mlflow-skinny below 2.22 (protobuf below 6) would all have to go, and what is left is not that version.
POSSIBLE: Mapping[str, frozenset[str]] = {
    "4": frozenset({"databricks-connect"}),
    "5": frozenset({"databricks-connect", "protobuf"}),
    "6": frozenset({"databricks-connect"}),
}


def platform_version(version: str) -> PlatformVersion:
    """Return an environment version, or raise `UserError` that says which there are."""
    if version not in PLATFORM:
        raise UserError(f"environment_version '{version}' is not known; expected one of {', '.join(PLATFORM)}")
    return PLATFORM[version]


def differences(version: str, installed: Mapping[str, str], python: str) -> str:
    """Return one line on how environment `version` differs from what is installed here, on Python `python`; empty when it does not."""
    there = platform_version(version)
    other = [] if python == there.python else [f"Python {there.python} (here {python})"]
    for name, specifier in there.specifiers().items():
        here = installed.get(name)
        if here is None or not specifier.contains(Version(here), prereleases=True):
            other.append(f"{name} {there.pins[name]} (here {here or 'none'})")
    return f"environment_version {version} has on Databricks: {', '.join(other)}" if other else ""
