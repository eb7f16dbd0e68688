"""The rules for one trip, in plain Python."""

from collections.abc import Mapping

from taxi_fare_features.keys import Value, key_of, moment_of, number_of, split_of, trip_text, utc
from taxi_fare_features.rules import (
    KEY,
    PICKUP,
    RULES,
    SPLIT,
    TARGET,
    TIME,
    Between,
    Copied,
    Definition,
    OneIf,
    Present,
    Rules,
    TimePart,
)

Trip = Mapping[str, Value]


def passes_filters(trip: Trip, *, rules: Rules = RULES) -> bool:
    """Return whether the trip may be used at all; what it lacks is None."""
    return all(_keeps(rule, trip[rule.source]) for rule in rules.filters)


def feature_row(trip: Trip, occurrence: int = 0, *, rules: Rules = RULES) -> dict[str, Value]:
    """Return the feature table's row of a trip that passes the filters.

    >>> from datetime import datetime
    >>> trip = {"tpep_pickup_datetime": datetime(2016, 2, 13, 8), "tpep_dropoff_datetime": datetime(2016, 2, 13, 9),
    ...         "trip_distance": 1.4, "fare_amount": 8.0, "pickup_zip": 10103, "dropoff_zip": 10110}
    >>> [feature_row(trip)[name] for name in ("pickup_hour", "pickup_dayofweek", "is_weekend", "is_rush_hour")]
    [8, 7, 1, 1]
    """
    text = trip_text(trip)
    features = {feature.name: _value(feature.definition, trip) for feature in rules.features}
    return {KEY: key_of(text, occurrence), TIME: trip[PICKUP], **features, TARGET: trip[TARGET], SPLIT: split_of(text)}


def _keeps(rule: Between | Present, value: Value) -> bool:
    if value is None or isinstance(rule, Present):
        return value is not None
    return rule.above < number_of(value) < rule.below


def _value(definition: Definition, trip: Trip) -> Value:
    match definition:
        case Copied(source):
            return trip[source]
        case TimePart():
            return _part(definition, trip)
        case OneIf(when, members):
            return int(_part(when, trip) in members)


def _part(definition: TimePart, trip: Trip) -> int:
    moment = utc(moment_of(trip[definition.source]))
    match definition.part:
        case "hour":
            return moment.hour
        case "dayofweek":
            return moment.isoweekday() % 7 + 1
        case "month":
            return moment.month
