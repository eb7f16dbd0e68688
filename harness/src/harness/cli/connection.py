"""Finding the running harness: `<state>/harness.json`, written when everything answers and removed at the end."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from harness.config import Layout
from harness.errors import UserError

DEFAULT_STATE = Path(".harness")


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a harness: with the user's token, or as its service principal. `pid` is the process to end."""

    host: str
    token: str
    spark_remote: str
    state: str
    pid: int
    client_id: str = ""
    client_secret: str = ""

    def environment(self) -> dict[str, str]:
        """Return what unchanged clients read."""
        return {"DATABRICKS_HOST": self.host, "DATABRICKS_TOKEN": self.token, "SPARK_REMOTE": self.spark_remote}

    def pages(self) -> str:
        """Return where a browser finds MLflow's pages, already logged in."""
        return f"{self.host}/ml/login#token={self.token}"

    def line(self) -> str:
        """Return the one line of JSON that `harness up --json` prints."""
        return msgspec.json.encode({field: value for field, value in asdict(self).items() if field != "pid"}).decode()

    def principal_environment(self) -> dict[str, str]:
        """Return what clients read to be the service principal; none may be set together with `DATABRICKS_TOKEN`, they refuse both."""
        return {"DATABRICKS_HOST": self.host, "DATABRICKS_CLIENT_ID": self.client_id, "DATABRICKS_CLIENT_SECRET": self.client_secret}


def find(state: Path) -> Connection | None:
    """Return the harness that runs in `state`, or None; the note of one that was killed does not count."""
    try:
        found = msgspec.json.decode(Layout(state).connection.read_bytes(), type=Connection)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found if _alive(found.pid) else None


def require(state: Path) -> Connection:
    """Return the harness that runs in `state`, or say how to start one."""
    found = find(state)
    if found is None:
        raise UserError(f"{state}: no harness is running in this state folder; start one with `harness up --state {state}` and try again")
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
