class ServingError(Exception):
    """What went wrong while deploying or scoring, where, and what to do; the previous configuration serves."""


class VerificationFailed(ServingError):  # noqa: N818 - reads as what happened, like the SDK's OperationFailed
    """The version loaded but its answer to a real request is not usable."""
