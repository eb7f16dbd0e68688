"""From a `Page` to one HTML file that needs nothing but itself."""

from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.dashboard import charts, text
from harness.dashboard.model import DriftCell, Page, psi_noise, significant

_environment = Environment(
    loader=PackageLoader("harness.dashboard"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.filters |= {"number": text.number, "seconds": text.seconds, "day": text.day}


def render(page: Page) -> str:
    """Return the page as HTML: styles and charts inside, no script, nothing fetched."""
    timed = [task for job in page.jobs for task in job.tasks]
    return _environment.get_template("page.html.j2").render(
        page=page,
        charts=charts,
        figures=_figures(page),
        features=_features(page.drift),
        windows=sorted({cell.day for cell in page.drift}),
        marked=significant(page.drift),
        noise=psi_noise(page.days),
        axis=max((task.offset + task.seconds for task in timed if task.offset is not None), default=0.0),
        failed=[(job, task) for job in page.jobs for task in job.tasks if charts.tone(task.result_state) == "bad"],
    )


def _figures(page: Page) -> list[tuple[str, str]]:
    figures = []
    if page.model:
        figures.append(("Model version", page.model.version))
        figures.extend((name, text.number(value)) for name, value in page.model.metrics.items())
    if page.density:
        figures.append(("Predictions with a label", text.number(page.density.pairs)))
    if page.payload:
        figures.append(("Requests logged", text.number(page.payload.requests)))
    if page.days:
        figures.append(("Days monitored", text.number(len(page.days))))
    return figures


def _features(cells: tuple[DriftCell, ...]) -> list[tuple[str, list[DriftCell]]]:
    by_column = sorted(cells, key=lambda cell: (cell.column, cell.day))
    return [(column, list(group)) for column, group in groupby(by_column, key=lambda cell: cell.column)]
