"""Isolated workspaces: a user, a token, a catalog and Spark sessions of their own, which end together. What tests run in."""

from harness.isolation.model import IsolatedWorkspace
from harness.isolation.ports import Belongings, Tokens
from harness.isolation.routes import routes
from harness.isolation.service import IsolationService

__all__ = ["Belongings", "IsolatedWorkspace", "IsolationService", "Tokens", "routes"]
