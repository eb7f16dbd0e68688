"""HTTP for services: what a route is, and the application made of all of them."""

from harness.http.application import application, error_response, json_response
from harness.http.routing import AnyRoute, Call, RawRoute, Reply, Route

__all__ = ["AnyRoute", "Call", "RawRoute", "Reply", "Route", "application", "error_response", "json_response"]
