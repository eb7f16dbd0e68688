"""A wheel whose version tells its content, so that other content has another path and no environment is taken for another."""

import base64
import hashlib
import zipfile
from email.parser import BytesParser
from pathlib import Path

_DIGITS = 12
_EPOCH = (1980, 1, 1, 0, 0, 0)


def with_content_version(wheel: Path, folder: Path) -> Path:
    """Return a copy of `wheel`, in `folder`, whose version has the digest of its content as its local part."""
    # Assumption: the official client writes the time of the build there; the content's digest does the same, and stays when it stays.
    parts = wheel.name.removesuffix(".whl").split("-")
    digest = _content(wheel)
    version = f"{parts[1]}{'.' if '+' in parts[1] else '+'}{int(digest[:_DIGITS], 16)}"
    made = folder / f"{'-'.join([parts[0], version, *parts[2:]])}.whl"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(".part")
        _rewrite(wheel, part, version)
        part.replace(made)
    return made


def _content(wheel: Path) -> str:
    """Return the digest of what is in a wheel; builds of the same sources differ in their times only."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            digest.update(f"\0{name}\0{hashlib.sha256(archive.read(name)).hexdigest()}".encode())
    return digest.hexdigest()


def _rewrite(wheel: Path, target: Path, version: str) -> None:
    with zipfile.ZipFile(wheel) as archive, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        info = next(name.partition("/")[0] for name in archive.namelist() if name.partition("/")[0].endswith(".dist-info"))
        project = info.removesuffix(".dist-info").rpartition("-")[0]
        record = []
        for name in archive.namelist():
            moved = name.replace(info, f"{project}-{version}.dist-info", 1) if name.startswith(f"{info}/") else name
            if name == f"{info}/RECORD":
                continue
            content = archive.read(name)
            if name == f"{info}/METADATA":
                content = _with_version(content, version)
            new.writestr(zipfile.ZipInfo(moved, _EPOCH), content, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{moved},sha256={digest},{len(content)}\n")
        place = f"{project}-{version}.dist-info/RECORD"
        new.writestr(zipfile.ZipInfo(place, _EPOCH), "".join([*record, f"{place},,\n"]))


def _with_version(metadata: bytes, version: str) -> bytes:
    before = BytesParser().parsebytes(metadata)["Version"]
    return metadata.replace(f"Version: {before}".encode(), f"Version: {version}".encode(), 1)
