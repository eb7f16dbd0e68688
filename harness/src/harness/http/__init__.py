"""HTTP for services: what a route is, and the application made of all of them."""

from harness.http.application import application, caller, error_response, json_response, unauthenticated
from harness.http.identity import Authenticator, Identity, OneToken, credential
from harness.http.observing import Answered, observed
from harness.http.routing import AnyRoute, Call, Handler, RawRoute, Reply, Route

__all__ = [
    "Answered",
    "AnyRoute",
    "Authenticator",
    "Call",
    "Handler",
    "Identity",
    "OneToken",
    "RawRoute",
    "Reply",
    "Route",
    "application",
    "caller",
    "credential",
    "error_response",
    "json_response",
    "observed",
    "unauthenticated",
]
