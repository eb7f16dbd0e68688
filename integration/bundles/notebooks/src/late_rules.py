"""When a book is late. An ordinary module beside the notebooks."""

from datetime import date, timedelta


def is_late(borrowed: date, today: date, days: int) -> bool:
    """Return whether a book borrowed then should be back by now."""
    return today > borrowed + timedelta(days=days)
