"""Where the dashboard's templates come from: everything that is not written in them is escaped."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.dashboard import text
from harness.dashboard.monitor import plots
from harness.dashboard.monitor.drifting import DISTANCES
from harness.dashboard.monitor.selection import drift_words

environment = Environment(
    loader=PackageLoader("harness.dashboard.monitor"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
environment.filters |= {"number": text.number}
environment.globals |= {"plots": plots, "distances": DISTANCES, "drift_words": drift_words}
