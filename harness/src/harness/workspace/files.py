"""The Files API: files and directories of volumes, model versions and MLflow artifacts, on disk."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.clock import Clock
from harness.config import Layout
from harness.errors import ApiError
from harness.workspace import storage
from harness.workspace.model import segments
from harness.workspace.ports import Volumes
from harness.workspace.signing import Access, UrlSigner

MAX_FILE_BYTES = 5 * 1024**3  # docs.databricks.com/api/workspace/files/upload: up to 5 GiB in one request
PAGE_SIZE = 1000  # docs.databricks.com/api/workspace/files/listdirectorycontents: the default and the most


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One line of a directory listing."""

    path: str
    name: str
    is_directory: bool
    file_size: int
    last_modified: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of a directory listing, and where the next ones begin."""

    contents: list[DirectoryEntry]
    next_page_token: str


class FilesService:
    """Files under `/Volumes`, `/Models` and `/WorkspaceInternal/Mlflow/Artifacts`. No path leaves the state folder.

    MLflow artifacts lie in the MLflow server's own artifact folder, so that its pages show them too.
    """

    def __init__(self, *, layout: Layout, clock: Clock, volumes: Volumes, secret: bytes, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._layout = layout
        self._clock = clock
        self._volumes = volumes
        self.signer = UrlSigner(secret=secret, clock=clock)
        self.uploads_folder = layout.files / "_uploads"
        self.max_bytes = max_bytes

    def locate(self, path: str) -> Path:
        """Return where `path` lies on disk (it need not exist), or raise the platform's error for a path that cannot exist."""
        match segments(path):
            case ("Volumes", catalog, schema, volume, *rest):
                return storage.confined(self._volumes.volume_path(catalog, schema, volume), *rest)
            case ("Models", catalog, schema, model, version, *rest):
                return storage.confined(self._volumes.model_path(catalog, schema, model, version), *rest)
            case ("WorkspaceInternal", "Mlflow", "Artifacts", experiment, "Runs", run, *rest):
                return storage.confined(self._artifacts, experiment, run, *rest)
            case ("WorkspaceInternal", "Mlflow", "Artifacts", experiment, "LoggedModels", model, *rest):
                return storage.confined(self._artifacts, experiment, "models", model, *rest)
            case ("WorkspaceInternal", "Mlflow", "Artifacts", experiment, "Traces", trace, *rest):
                # Assumption: clients meet traces in signed addresses only, so that this path is ours to choose.
                return storage.confined(self._artifacts, experiment, "traces", trace, *rest)
        message = (
            f"Path '{path}' is not valid; expected /Volumes/<catalog>/<schema>/<volume>/… or /Models/<catalog>/<schema>/<model>/<version>/…"
        )
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)

    def file(self, path: str) -> Path:
        """Return the file at `path`, or raise the platform's 404."""
        found = self.locate(path)
        if not found.is_file():
            raise ApiError(404, "NOT_FOUND", f"The file being accessed is not found: {path}")
        return found

    @contextmanager
    def writing(self, path: str, *, overwrite: bool) -> Iterator[IO[bytes]]:
        """Give a file to write that becomes `path` when the block ends well; missing folders are made, as object stores do."""
        target = self.locate(path)
        self._check_writable(target, path, overwrite=overwrite)
        with storage.replacing(target) as part:
            yield part
            self._check_writable(target, path, overwrite=overwrite)

    async def receive(self, path: str, chunks: AsyncIterator[bytes], *, overwrite: bool) -> None:
        """Write what arrives to `path`, refusing it with 413 as soon as it is larger than `max_bytes`."""
        with self.writing(path, overwrite=overwrite) as part:
            await self._copy(chunks, part)

    async def receive_to(self, target: Path, chunks: AsyncIterator[bytes]) -> None:
        """Write what arrives to a file on disk, bounded like any upload."""
        with storage.replacing(target) as part:
            await self._copy(chunks, part)

    def delete_file(self, path: str) -> None:
        """Remove the file at `path`."""
        self.file(path).unlink(missing_ok=True)

    def directory(self, path: str) -> Path:
        """Return the directory at `path`, or raise the platform's 404."""
        found = self.locate(path)
        if not found.is_dir():
            raise ApiError(404, "NOT_FOUND", f"The directory being accessed is not found: {path}")
        return found

    def list_directory(self, path: str, *, page_size: int = PAGE_SIZE, page_token: str = "") -> Page:
        """Return up to `page_size` entries of the directory at `path`, in name order, beginning after `page_token`."""
        base = "/" + "/".join(segments(path))
        after = _decode_token(page_token)
        found = [child for child in storage.children(self.directory(path)) if child.name > after]
        shown = found[: max(1, min(page_size, PAGE_SIZE))]
        token = _encode_token(shown[-1].name) if len(shown) < len(found) else ""
        return Page([_entry(base, child) for child in shown], token)

    def create_directory(self, path: str) -> None:
        """Make the directory at `path` and those above it; nothing happens when it is there already."""
        try:
            self.locate(path).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ApiError(409, "ALREADY_EXISTS", f"A file stands at or above {path}") from error

    def delete_directory(self, path: str) -> None:
        """Remove the empty directory at `path`."""
        found = self.directory(path)
        if storage.children(found):
            raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"The directory being deleted is not empty: {path}")
        if len(segments(path)) <= 4:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{path} is a volume; delete it with the volumes API")
        storage.remove_folder(found)

    def signed_url(self, path: str, access: Access) -> str:
        """Return the path and query of a URL that needs no token: for this file, this method and one hour only."""
        self.locate(path)
        return self.signer.url(path, access)

    def check_writable(self, path: str, *, overwrite: bool) -> None:
        """Raise the platform's error when `path` cannot be written now."""
        self._check_writable(self.locate(path), path, overwrite=overwrite)

    def now(self) -> float:
        """Return the time of the service's clock."""
        return self._clock.now().timestamp()

    async def _copy(self, chunks: AsyncIterator[bytes], part: IO[bytes]) -> None:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self.max_bytes:
                raise ApiError(413, "MAX_FILE_SIZE_EXCEEDED", f"The upload is larger than {self.max_bytes} bytes")
            part.write(chunk)

    @property
    def _artifacts(self) -> Path:
        return self._layout.mlflow / "artifacts"

    def _check_writable(self, target: Path, path: str, *, overwrite: bool) -> None:
        if target.is_dir():
            raise ApiError(409, "ALREADY_EXISTS", f"The path is a directory: {path}")
        if target.exists() and not overwrite:
            raise ApiError(409, "ALREADY_EXISTS", f"The file being created already exists: {path}")


def _entry(base: str, child: Path) -> DirectoryEntry:
    status = child.stat()
    is_directory = child.is_dir()
    size = 0 if is_directory else status.st_size
    return DirectoryEntry(f"{base}/{child.name}", child.name, is_directory, size, int(status.st_mtime * 1000))


def _encode_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decode_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"page_token {token!r} is not one that a listing has returned") from error
