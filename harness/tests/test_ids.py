"""Identifiers have the platform's shapes."""

import re
import uuid

import pytest

from harness.ids import Ids, RandomIds, SeededIds


@pytest.mark.parametrize("ids", [RandomIds(), SeededIds()], ids=["random", "seeded"])
def test_shapes(ids: Ids) -> None:
    """A UUID is one of version 4, 32 digits are hexadecimal, numbers have 15 digits; none comes twice."""
    drawn = [ids.uuid() for _ in range(500)]
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant, str(uuid.UUID(text)) == text) for text in drawn} == {
        (4, uuid.RFC_4122, True)
    }
    assert len(set(drawn)) == 500
    assert all(re.fullmatch("[0-9a-f]{32}", ids.hex32()) for _ in range(50))
    assert all(10**14 <= ids.number() < 10**15 for _ in range(50))
