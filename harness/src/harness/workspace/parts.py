"""Files sent in parts: what the SDK does from 50 MiB up (begin, a signed URL for each part, complete or abort)."""

import itertools
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import ApiError
from harness.workspace import storage
from harness.workspace.files import FilesService

_TOKEN = re.compile(r"[0-9a-f]{64}")
_TARGET = "target.json"
MAX_PARTS = 10_000  # what object stores allow


@dataclass(frozen=True, slots=True)
class _Target:
    path: str
    overwrite: bool


class SentPart(msgspec.Struct, frozen=True):
    """One part as a client names it when it completes an upload; the ETag is what it got for the part."""

    part_number: int
    etag: str | None = None


class PartUploads:
    """Parts wait in a folder named by the session's token and become the file in one step."""

    def __init__(self, files: FilesService) -> None:
        self._files = files
        self._folder = files.uploads_folder
        storage.remove_folder(self._folder)  # of a harness that has ended: the addresses it signed are void, so nobody can go on
        self._numbers = itertools.count()

    def begin(self, path: str, *, overwrite: bool) -> str:
        """Return the token of a new session for `path`; a path that cannot be written is refused now, before its parts are sent."""
        self._files.check_writable(path, overwrite=overwrite)
        token = self._files.signer.digest("upload", path, str(next(self._numbers)), str(self._files.now()))
        with storage.replacing(self._folder / token / _TARGET) as target:
            target.write(msgspec.json.encode(_Target(path, overwrite)))
        return token

    def part_urls(self, token: str, first: int, count: int) -> list[tuple[int, str]]:
        """Return `count` part numbers from `first` on, each with its signed URL."""
        self._session(token)
        if not (first >= 1 and count >= 1 and first + count <= MAX_PARTS + 1):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Parts {first} to {first + count - 1}: expected numbers from 1 to {MAX_PARTS}")
        return [(number, self._files.signer.url(f"{token}/{number}", "PART")) for number in range(first, first + count)]

    def abort_url(self, token: str) -> str:
        """Return the signed URL that ends a session without a file."""
        self._session(token)
        return self._files.signer.url(token, "ABORT")

    async def receive(self, subject: str, chunks: AsyncIterator[bytes]) -> str:
        """Write one part (`token/number`, from a signed URL) and return its ETag."""
        token, _, number = subject.partition("/")
        part = self._session(token) / f"{int(number):05d}"
        await self._files.receive_to(part, chunks)
        return _etag(part)

    def complete(self, token: str, path: str, sent: Sequence[SentPart]) -> None:
        """Make the file of its parts, or raise the platform's 400 for parts that are not those received."""
        folder = self._session(token)
        target = msgspec.json.decode((folder / _TARGET).read_bytes(), type=_Target)
        wrong = _wrong_parts(folder, sent)
        if target.path != path:
            wrong = f"it is not the upload of {path}"
        if wrong:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"The upload of {target.path} cannot be completed; {wrong}")
        parts = [folder / f"{each.part_number:05d}" for each in sent]
        with self._files.writing(path, overwrite=target.overwrite) as whole:
            for part in parts:
                storage.append(part, whole)
        self.abort(token)

    def abort(self, token: str) -> None:
        """Forget a session and its parts."""
        storage.remove_folder(self._session(token))

    def _session(self, token: str) -> Path:
        """Return the folder of a session, or raise the platform's 404."""
        folder = self._folder / token
        if not _TOKEN.fullmatch(token) or not (folder / _TARGET).is_file():
            raise ApiError(404, "NOT_FOUND", "There is no such upload; it has been completed or aborted")
        return folder


def _wrong_parts(folder: Path, sent: Sequence[SentPart]) -> str:
    """Return what is wrong with the parts that a client names, or nothing."""
    numbers = [each.part_number for each in sent]
    if not numbers:
        return "it has no parts"
    # Assumption: as object stores have it, parts are named once each and in their order.
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        return f"parts must be named in ascending order, not {numbers[:20]}"
    missing = [number for number in numbers if not (folder / f"{number:05d}").is_file()]
    if missing:
        return f"parts not received: {missing}"
    changed = [each.part_number for each in sent if each.etag not in {None, _etag(folder / f"{each.part_number:05d}")}]
    return f"parts received with another ETag: {changed}" if changed else ""


def _etag(part: Path) -> str:
    """Return what a part is told from another with the same number by."""
    status = part.stat()
    return f'"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ino:x}"'
