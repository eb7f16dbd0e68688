"""The three kinds of monitors as computing sees them: by which windows, by which models, with which answers to judge. Pure."""

from dataclasses import dataclass

from harness.monitoring.model import GranularityName, InferenceLogConfig, TimeSeriesConfig

KindConfig = InferenceLogConfig | TimeSeriesConfig | None
"""What the user wrote of the kind; None of a snapshot, of which there is nothing to write."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A snapshot has no columns of its own; a time series has a timestamp; an inference log has models and answers besides."""

    timestamp: str | None = None
    granularities: tuple[GranularityName, ...] = ()
    model_id: str | None = None
    log: InferenceLogConfig | None = None

    @property
    def is_snapshot(self) -> bool:
        """Whether a refresh sees the whole table at one instant, and no windows."""
        return self.timestamp is None


def kind_of(config: KindConfig) -> Kind:
    """Return how a monitor of this configuration looks at its table."""
    match config:
        case InferenceLogConfig():
            return Kind(config.timestamp_column, config.granularities, config.model_id_column, config)
        case TimeSeriesConfig():
            return Kind(config.timestamp_column, config.granularities)
        case None:
            return Kind()
