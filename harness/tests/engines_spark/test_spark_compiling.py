"""Queries over much data are compiled, those over little are interpreted."""

from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings are not what these test

MUCH = "SELECT sum(id) FROM range(1000000)"
LITTLE = "SELECT sum(id) FROM range(10)"


@pytest.fixture
def session(workbench: Any) -> Iterator[Any]:
    """A session of the test's own, with the settings of a new one."""
    session = workbench.session()
    yield session
    session.stop()


def compiled(session: Any) -> bool:
    """Return whether the last query of the session was planned to be compiled."""
    return bool(session.conf.get("spark.sql.codegen.wholeStage") == "true")


def test_what_is_compiled_depends_on_how_much_is_read(session: Any) -> None:
    """Each query is looked at by itself."""
    assert not compiled(session)
    assert session.sql(LITTLE).first()[0] == 45
    assert not compiled(session)
    assert session.sql(MUCH).first()[0] == 499999500000
    assert compiled(session)
    assert session.sql(LITTLE).first()[0] == 45
    assert not compiled(session)


def test_a_session_keeps_what_it_has_set_itself(session: Any) -> None:
    """Whoever changes Spark's setting has the last word, before the first query and after."""
    session.conf.set("spark.sql.codegen.wholeStage", "true")
    for query in (MUCH, LITTLE):
        session.sql(query).collect()
        assert compiled(session)
        assert session.conf.get("spark.sql.codegen.factoryMode") == "FALLBACK"  # else Spark compiles nothing


def test_a_session_may_set_it_after_its_first_queries(session: Any) -> None:
    """What was set for a query before does not stand in the way."""
    session.sql(MUCH).collect()
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.sql(MUCH).collect()
    assert not compiled(session)
