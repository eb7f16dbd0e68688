"""What the platform would say, and what we do not do, are different things."""

from collections.abc import Mapping


class ApiError(Exception):
    """An error the platform documents: HTTP status, `error_code` and message, in the platform's words.

    `details` are merged into the JSON body beside `error_code` and `message`; `headers` go with the answer (`Retry-After`).
    """

    def __init__(self, status: int, error_code: str, message: str, *, headers: Mapping[str, str] | None = None, **details: object) -> None:
        super().__init__(message)
        self.headers = dict(headers or {})
        self.status = status
        self.error_code = error_code
        self.message = message
        self.details = details


class NotEmulated(ApiError):  # noqa: N818 - reads as the answer it is
    """A route or a field that the platform has and the harness has not: answered as 501, never guessed."""

    def __init__(self, what: str) -> None:
        super().__init__(501, "NOT_IMPLEMENTED", f"{what} is not emulated by the harness; see docs/coverage.md")


class UserError(Exception):
    """Bad input at the command line: one clear sentence (where, what, expected, what to do), exit status 2."""
