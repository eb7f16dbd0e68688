"""Files sent in parts: what the SDK does from 50 MiB up (begin, a signed URL for each part, complete or abort)."""

import itertools
import re
import shutil
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


class PartUploads:
    """Parts wait in a folder named by the session's token and become the file in one step."""

    def __init__(self, files: FilesService) -> None:
        self._files = files
        self._folder = files.uploads_folder
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
        await self._files.receive_to(self._session(token) / f"{int(number):05d}", chunks)
        return f'"{number}"'

    def complete(self, token: str, path: str, numbers: Sequence[int]) -> None:
        """Make the file of its parts, in number order."""
        folder = self._session(token)
        target = msgspec.json.decode((folder / _TARGET).read_bytes(), type=_Target)
        parts = [folder / f"{number:05d}" for number in sorted(numbers)]
        missing = [int(part.name) for part in parts if not part.is_file()]
        if target.path != path or missing or not parts:
            raise ApiError(
                400, "INVALID_PARAMETER_VALUE", f"The upload of {target.path} cannot be completed; parts not received: {missing}"
            )
        with self._files.writing(path, overwrite=target.overwrite) as whole:
            for part in parts:
                with part.open("rb") as sent:
                    shutil.copyfileobj(sent, whole)
        self.abort(token)

    def abort(self, token: str) -> None:
        """Forget a session and its parts."""
        storage.remove_folder(self._session(token))

    def _session(self, token: str) -> Path:
        folder = self._folder / token
        if not _TOKEN.fullmatch(token) or not (folder / _TARGET).is_file():
            raise ApiError(404, "NOT_FOUND", "There is no such upload; it has been completed or aborted")
        return folder
