"""Sessions of statements: what `databricks-sql-connector` opens for a connection, so that `USE` and temporary views last.

Source: databricks-sql-connector 4.9.0, `databricks/sql/backend/sea` (`use_sea=True`); the API reference does not show these routes.
"""

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from harness.clock import Clock
from harness.errors import ApiError
from harness.ids import Ids
from harness.sql.model import CreateSessionRequest, StatementFailedError
from harness.sql.ports import Engine

# Parameters of a warehouse, and Spark's names for them: docs.databricks.com/sql/language-manual/sql-ref-parameters
_SETTINGS: Mapping[str, str] = {
    "ANSI_MODE": "spark.sql.ansi.enabled",
    "LEGACY_TIME_PARSER_POLICY": "spark.sql.legacy.timeParserPolicy",
    "MAX_FILE_PARTITION_BYTES": "spark.sql.files.maxPartitionBytes",
    "TIMEZONE": "spark.sql.session.timeZone",
}
_WITHOUT_EFFECT = frozenset({"ENABLE_PHOTON", "QUERY_TAGS", "READ_ONLY_EXTERNAL_METASTORE", "USE_CACHED_RESULT"})
# Assumption: a session that nobody used for so long is closed, as its client has gone without a word.
_IDLE = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Open:
    """Whose a session is, and when it was used last."""

    user: str
    used: dt.datetime


class Sessions:
    """The open sessions."""

    def __init__(self, *, clock: Clock, ids: Ids, engine: Engine) -> None:
        self._clock = clock
        self._ids = ids
        self._engine = engine
        self._open: dict[str, _Open] = {}
        self._lock = threading.Lock()

    def open(self, request: CreateSessionRequest, user: str = "") -> str:
        """Open a session for `user` and return its id, or raise the platform's 400."""
        self._close_idle()
        confs = {_SETTINGS[name]: value for name, value in _known(request.session_confs).items()}
        session = self._ids.uuid()
        try:
            self._engine.open(session, catalog=request.catalog, schema=request.schema, confs=confs)
        except StatementFailedError as error:
            raise ApiError(400, "BAD_REQUEST", str(error)) from error
        with self._lock:
            self._open[session] = _Open(user, self._clock.now())
        return session

    def use(self, session: str) -> None:
        """Note that a session is used, or raise 404. Assumption: the wording."""
        with self._lock:
            if session not in self._open:
                raise ApiError(404, "NOT_FOUND", f"The session {session} was not found.")
            self._open[session] = replace(self._open[session], used=self._clock.now())

    def close(self, session: str) -> None:
        """Close a session, or raise 404."""
        self.use(session)
        self._end(session)

    def delete_of(self, user: str) -> None:
        """Close the sessions of `user`."""
        self._end_all(lambda found: found.user == user)

    def close_all(self) -> None:
        """Close every session; twice without harm."""
        self._end_all(lambda _: True)

    def _close_idle(self) -> None:
        now = self._clock.now()
        self._end_all(lambda found: now - found.used > _IDLE)

    def _end_all(self, ends: Callable[[_Open], bool]) -> None:
        with self._lock:
            ended = [session for session, found in self._open.items() if ends(found)]
        for session in ended:
            self._end(session)

    def _end(self, session: str) -> None:
        with self._lock:
            self._open.pop(session, None)
        self._engine.close(session)


def _known(confs: Mapping[str, str]) -> dict[str, str]:
    given = {name.upper(): value for name, value in confs.items()}
    for name in given:
        if name not in _SETTINGS and name not in _WITHOUT_EFFECT:
            expected = ", ".join(sorted({*_SETTINGS, *_WITHOUT_EFFECT}))
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"session_confs: '{name}' cannot be set here; expected one of {expected}")
    return {name: value for name, value in given.items() if name in _SETTINGS}
