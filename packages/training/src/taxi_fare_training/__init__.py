"""Fit, evaluate, gate and register the taxi fare model.

The tasks are `taxi_fare_training.tasks:train` and `:validate`; what they do stands in the modules `train` and `validate`.
"""

from taxi_fare_training.names import Names

__all__ = ["Names"]
