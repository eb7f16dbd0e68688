"""Sales as the bakers tell them: Saturdays are busy, Mondays are not, and every shop has its size."""

from datetime import date, timedelta

import pandas as pd

SHOPS = {"harbour": 80, "market": 120, "station": 200}
BY_WEEKDAY = (0.7, 0.9, 0.9, 1.0, 1.1, 1.5, 1.2)
FIRST_DAY = date(2025, 3, 3)


def made_up(days: int) -> pd.DataFrame:
    """Return `days` days of sales, the same each time."""
    rows = []
    for number in range(days):
        day = FIRST_DAY + timedelta(days=number)
        for shop, size in SHOPS.items():
            loaves = round(size * BY_WEEKDAY[day.weekday()] + (number * 7 + size) % 11 - 5)
            rows.append({"shop": shop, "day": day, "weekday": day.weekday(), "loaves": loaves})
    return pd.DataFrame(rows)
