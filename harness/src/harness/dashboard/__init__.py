"""One self-contained HTML page about a run: pure data in, text out."""

from harness.dashboard.model import Page
from harness.dashboard.render import render

__all__ = ["Page", "render"]
