"""Figures of the real trips of January and February 2016, measured once: what the synthetic ones are drawn from.

Source: the 10,000 rows of `samples.nyctaxi.trips` in github.com/databricks/mlops-stacks; values by the New York City Taxi & Limousine
Commission.
"""

import numpy as np

# Trips in ten thousand by hour of the day, and by day of the week from Monday.
HOURS = np.array(
    [345, 266, 217, 146, 117, 98, 224, 354, 485, 459, 437, 440, 500, 498, 494, 525, 445, 542, 661, 624, 562, 564, 557, 440],
    dtype=np.float64,
)
WEEKDAYS = np.array([1360, 1301, 1261, 1430, 1658, 1609, 1381], dtype=np.float64)
FIRST_DAY = np.datetime64("2016-01-01", "D")
DAYS = 60
FEBRUARY_SHARE = 0.5532

# Quantiles of the distance in miles.
DISTANCE_SHARES = np.array([0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 99.5, 100]) / 100
DISTANCES = np.array(
    [0.02, 0.3, 0.5, 0.65, 0.9, 1.1, 1.38, 1.7, 2.09, 2.68, 3.74, 4.7, 6.5, 8.6, 10.33, 13.59, 16.7, 18.4, 19.68, 30.6],
)

# Median speed in miles an hour by distance, its logarithm's shift by hour and at weekends, and its spread.
SPEED_DISTANCES = np.array([0.25, 0.75, 1.5, 2.8, 5.5, 10.0, 17.0])
SPEEDS = np.array([7.8, 8.8, 9.5, 11.3, 15.1, 22.0, 28.0])
# fmt: off
HOUR_SHIFTS = np.array(
    [
        0.17, 0.17, 0.21, 0.21, 0.31, 0.41, 0.28, 0.08, -0.11, -0.14, -0.11, -0.12,
        -0.1, -0.11, -0.1, -0.15, -0.07, -0.09, -0.12, -0.02, 0.03, 0.07, 0.09, 0.12,
    ],
)
# fmt: on
WEEKEND_SHIFT, WEEKDAY_SHIFT = 0.07, -0.03
SPEED_SPREAD = 0.34

# The meter of 2016: 2.50 to begin with, then 0.50 for each fifth of a mile driven or minute stood; measured weights of both.
START, STEP = 2.5, 0.5
STEPS_A_MILE, STEPS_A_MINUTE, STEP_SPREAD = 3.85, 0.656, 1.15
# Between Manhattan and JFK airport: one price. The share of such trips by distance.
JFK_FARE, JFK_ZIP = 52.0, 11422
JFK_DISTANCES = np.array([13.0, 14.5, 15.5, 16.5, 17.5, 18.5, 19.5, 20.5, 24.0])
JFK_SHARES = np.array([0.0, 0.1, 0.4, 0.65, 0.8, 0.87, 0.75, 0.67, 0.6])

# Rows that no model may use, in ten thousand: no distance, a fare of nothing or less, a fare of 200 or more.
NO_DISTANCE, NO_FARE, HUGE_FARE = 33, 5, 2

# fmt: off
ZIPS = np.array(
    [
        10001, 10003, 10011, 10021, 10018, 10023, 10028, 10012, 10110, 10017, 10009, 10065,
        10119, 10002, 10103, 10014, 10199, 10022, 10020, 11422, 10044, 10019, 11371, 10153,
        10162, 10167, 10013, 10025, 10154, 10029, 11201, 11211, 10035, 10282, 11101, 11231,
    ],
    dtype=np.int32,
)
ZIP_WEIGHTS = np.array(
    [
        59, 54, 52, 50, 48, 45, 43, 40, 37, 32, 31, 31,
        31, 27, 25, 23, 23, 22, 22, 21, 21, 20, 20, 19,
        19, 13, 12, 12, 11, 10, 10, 9, 8, 8, 8, 7,
    ],
    dtype=np.float64,
)
# fmt: on
