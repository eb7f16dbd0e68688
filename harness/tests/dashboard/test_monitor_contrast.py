"""Colours of the pages by the formula of WCAG 2: text at least 4.5 to 1, what must be seen of a chart at least 3 to 1, in both schemes."""

import re
from importlib.resources import files

import pytest

TEXT = (
    [(ink, ground) for ink in ("ink", "soft", "accent", "second", "good", "bad", "idle") for ground in ("card", "paper")]
    + [("on", "accent")]
    + [("cell", f"s{step}") for step in range(7)]
)
DRAWN = [
    *((line, "card") for line in ("accent", "second", "third", "fourth", "fifth", "sixth", "bad", "edge", "p2", "dot")),
    *((line, "band") for line in ("accent", "second", "third", "fourth", "fifth", "sixth", "bad")),
    *(("dot", step) for step in ("p0", "p1")),
]


def schemes(text: str) -> dict[str, dict[str, str]]:
    """Return the colours of the light and the dark scheme by their names."""
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    return {name: dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", found)) for name, found in (("light", light), ("dark", dark))}


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours: www.w3.org/TR/WCAG22, relative luminance."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


MONITOR = schemes((files("harness.dashboard.monitor") / "templates" / "palette.css").read_text())
RUN = schemes((files("harness.dashboard") / "templates" / "page.html.j2").read_text())


def test_the_formula_gives_the_known_ratios() -> None:
    """Black on white is 21; the grey that just passes on white is 4.54."""
    assert contrast("#000000", "#ffffff") == 21
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_can_be_read(scheme: str, ink: str, ground: str) -> None:
    """Every colour of letters on every ground that it stands on."""
    assert contrast(MONITOR[scheme][ink], MONITOR[scheme][ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("line", "ground"), DRAWN)
def test_lines_and_marks_can_be_seen(scheme: str, line: str, ground: str) -> None:
    """Every line, dot and square that says something, on the ground and on the band."""
    assert contrast(MONITOR[scheme][line], MONITOR[scheme][ground]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "good", "bad"])
@pytest.mark.parametrize("ground", ["card", "paper"])
def test_text_of_the_page_of_a_run_can_be_read(scheme: str, ink: str, ground: str) -> None:
    """The other page keeps to the same."""
    assert contrast(RUN[scheme][ink], RUN[scheme][ground]) >= 4.5
