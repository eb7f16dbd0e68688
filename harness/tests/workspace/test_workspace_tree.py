"""The tree of the workspace: a model of it, threads at once, paths that lead astray, files that tasks write."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ImportFormat
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.http import OneToken, application
from harness.ids import SeededIds
from harness.state import Store
from harness.workspace.permissions import PermissionsService
from harness.workspace.routes import routes
from harness.workspace.service import WorkspaceService

TOKEN = "secret-token"
HOME = f"/Users/{USER_NAME}"
IMPORT = "/api/2.0/workspace-files/import-file"


class AnyWorkspace:
    """One server for many workspaces after one another."""

    def __init__(self) -> None:
        self.application: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.application is not None:
            await self.application(scope, receive, send)


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """Serve whatever workspace was opened last."""
    listening = socket.create_server(("127.0.0.1", 0))
    serving = uvicorn.Server(uvicorn.Config(_served, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
    thread.start()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", headers=headers, trust_env=False) as plain:
        _clients.append(plain)
        yield
    serving.should_exit = True
    thread.join()


_served = AnyWorkspace()
_clients: list[httpx.Client] = []


def opened(state: Path) -> tuple[httpx.Client, Store]:
    """Return a client of a workspace in `state`, and what to close."""
    layout = Layout(state).make()
    store = Store(layout.database)
    workspace = WorkspaceService(layout=layout, clock=SystemClock(), ids=SeededIds(), store=store, user=USER_NAME)
    table = routes(workspace, PermissionsService(store=store, user=USER_NAME))
    _served.application = application(table, callers=OneToken(TOKEN, USER_NAME))
    return _clients[-1], store


_names = st.sampled_from(["a", "b", "ü ", "%2e", "a.b"])
_paths = st.lists(_names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


class Tree(RuleBasedStateMachine):
    """Any sequence of mkdirs, import and delete leaves what a dictionary of paths would hold; None stands for a directory."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.client, self.store = opened(Path(self.folder.name))
        self.model: dict[str, bytes | None] = {"/Shared": None, "/Users": None, HOME: None}

    def teardown(self) -> None:
        """Close what was opened."""
        self.store.close()
        self.folder.cleanup()

    @rule(path=_paths)
    def make_directories(self, path: str) -> None:
        """Refused when a file stands in the way."""
        above = [path[:end] for end in range(1, len(path) + 1) if end == len(path) or path[end] == "/"]
        expected = 400 if any(self.model.get(each) is not None for each in above) else 200

        assert self.client.post("/api/2.0/workspace/mkdirs", json={"path": path}).status_code == expected
        if expected == 200:
            self.model.update(dict.fromkeys(above))

    @rule(path=_paths, content=st.binary(max_size=20), overwrite=st.booleans())
    def import_file(self, path: str, content: bytes, overwrite: bool) -> None:  # noqa: FBT001 - a drawn value
        """Refused without a directory above, and over what is there."""
        above = path.rpartition("/")[0]
        if above and above not in self.model:
            expected = 404
        elif above and self.model[above] is not None:
            expected = 400
        elif path in self.model and (not overwrite or self.model[path] is None):
            expected = 409
        else:
            expected = 200
        url = IMPORT + quote(path)

        answer = self.client.post(url, params={"overwrite": str(overwrite).lower()}, content=content)

        assert answer.status_code == expected
        if expected == 200:
            self.model[path] = content

    @rule(path=_paths, recursive=st.booleans())
    def delete(self, path: str, recursive: bool) -> None:  # noqa: FBT001 - a drawn value
        """Refused for what is not there, and for a full directory."""
        inside = [each for each in self.model if each.startswith(f"{path}/")]
        expected = 404 if path not in self.model else 400 if inside and not recursive else 200

        answer = self.client.post("/api/2.0/workspace/delete", json={"path": path, "recursive": recursive})

        assert answer.status_code == expected
        if expected == 200:
            for each in (*inside, path):
                del self.model[each]

    @rule()
    def restart(self) -> None:
        """A new harness on the same folder."""
        self.store.close()
        self.client, self.store = opened(Path(self.folder.name))

    @invariant()
    def listing_is_the_models(self) -> None:
        """Every directory lists its own children, and every file has the bytes it was given."""
        for folder in ("/", *(path for path, content in self.model.items() if content is None)):
            listed = self.client.get("/api/2.0/workspace/list", params={"path": folder}).json().get("objects", [])
            found = {one["path"]: one["object_type"] for one in listed}
            children = {path: content for path, content in self.model.items() if (path.rpartition("/")[0] or "/") == folder}
            assert found == {path: "DIRECTORY" if content is None else "FILE" for path, content in children.items()}
        for path, content in self.model.items():
            if content is not None:
                asked = {"path": path, "direct_download": "true"}
                assert self.client.get("/api/2.0/workspace/export", params=asked).content == content


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder."""
    return tmp_path / "state"


@pytest.fixture
def tree(state: Path) -> Iterator[httpx.Client]:
    """A workspace of its own."""
    client, store = opened(state)
    yield client
    store.close()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/../outside.txt", id="dots"),
        pytest.param(f"{HOME}/../../../outside.txt", id="dots inside"),
        pytest.param(f"{HOME}/./a", id="one dot"),
        pytest.param("relative", id="relative"),
        pytest.param(f"{HOME}/a\x00b", id="null byte"),
        pytest.param(f"{HOME}/a\\b", id="backslash"),
        pytest.param(f"{HOME}/{'n' * 256}", id="long name"),
        pytest.param(f"{HOME}/{'é' * 128}", id="long name in bytes"),
        pytest.param(f"{HOME}{'/d' * 1100}", id="long path"),
    ],
)
def test_path_that_leads_astray_is_refused(tree: httpx.Client, path: str) -> None:
    """By every route, with the platform's error, and nothing is made."""
    before = tree.get("/api/2.0/workspace/list", params={"path": HOME}).json()
    bodies = ({"path": path}, {"path": path, "content": "", "format": "AUTO"})
    answers = [tree.get(f"/api/2.0/workspace/{verb}", params={"path": path}) for verb in ("get-status", "list", "export")]
    answers += [tree.post(f"/api/2.0/workspace/{verb}", json=body) for verb in ("mkdirs", "delete", "import") for body in bodies[-1:]]

    assert [(answer.status_code, answer.json()["error_code"]) for answer in answers] == [(400, "INVALID_PARAMETER_VALUE")] * 6
    assert tree.get("/api/2.0/workspace/list", params={"path": HOME}).json() == before


def test_link_out_of_the_workspace_is_not_followed(tree: httpx.Client, state: Path, tmp_path: Path) -> None:
    """A task may make one; the workspace neither shows nor reads what it leads to."""
    secret = tmp_path / "outside.txt"
    secret.write_text("outside")
    (state / "files" / "Workspace" / HOME[1:] / "link").symlink_to(secret)

    assert tree.get("/api/2.0/workspace/export", params={"path": f"{HOME}/link"}).status_code == 400
    assert tree.get("/api/2.0/workspace/list", params={"path": HOME}).json() == {}


def test_only_one_of_many_gets_the_lock(tree: httpx.Client) -> None:
    """Twenty at once write the same file without overwrite."""

    def take(number: int) -> int:
        return tree.post(f"{IMPORT}{HOME}/deploy.lock", params={"overwrite": "false"}, content=str(number)).status_code

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(take, range(20))) == [200, *[409] * 19]


def test_many_files_at_once(tree: httpx.Client) -> None:
    """Twenty uploads side by side, each with folders of its own, as a deployment does."""

    def upload(number: int) -> int:
        tree.post("/api/2.0/workspace/mkdirs", json={"path": f"{HOME}/files/{number % 3}/deep"})
        return tree.post(f"{IMPORT}{HOME}/files/{number % 3}/deep/{number}.txt", content=str(number)).status_code

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(upload, range(60))) == [200] * 60
    listed = [tree.get("/api/2.0/workspace/list", params={"path": f"{HOME}/files/{n}/deep"}).json()["objects"] for n in range(3)]
    assert sorted(int(one["path"].rpartition("/")[2].removesuffix(".txt")) for part in listed for one in part) == list(range(60))


def test_what_a_task_writes_is_in_the_workspace(tree: httpx.Client, state: Path) -> None:
    """`/Workspace` is a folder to tasks: what they make, change and remove there, clients see."""
    folder = state / "files" / "Workspace" / HOME[1:]
    (folder / "made").mkdir()
    (folder / "made" / "report.txt").write_bytes(b"12345")
    status = tree.get("/api/2.0/workspace/get-status", params={"path": f"{HOME}/made/report.txt"}).json()
    (folder / "made" / "report.txt").write_bytes(b"123456")
    changed = tree.get("/api/2.0/workspace/get-status", params={"path": f"{HOME}/made/report.txt"}).json()

    assert (status["object_type"], status["size"], changed["size"]) == ("FILE", 5, 6)
    assert status["object_id"] == changed["object_id"]
    (folder / "made" / "report.txt").unlink()
    assert tree.get("/api/2.0/workspace/list", params={"path": f"{HOME}/made"}).json() == {}


@pytest.mark.parametrize("path", ["/", "/Users", "/Shared", HOME])
def test_folders_of_the_workspace_itself_stay(tree: httpx.Client, path: str) -> None:
    """Deleting them is refused."""
    answer = tree.post("/api/2.0/workspace/delete", json={"path": path, "recursive": True})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "DIRECTORY_PROTECTED")


def test_recursive_list_of_the_client(client: WorkspaceClient) -> None:
    """`list(recursive=True)` finds every file below."""
    client.workspace.mkdirs(f"{HOME}/deep/er/est")
    client.workspace.upload(f"{HOME}/deep/er/est/x.bin", b"\x00", format=ImportFormat.AUTO)

    assert [one.path for one in client.workspace.list(f"{HOME}/deep", recursive=True)] == [f"{HOME}/deep/er/est/x.bin"]
