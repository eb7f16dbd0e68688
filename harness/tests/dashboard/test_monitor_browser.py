"""The dashboard in a real browser: no request, nothing for axe to say, pickers that work. Skipped where there is no Chromium or axe."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from harness.dashboard.monitor.render import Addresses, served_policy
from harness.dashboard.monitor.service import Boards
from harness.dashboard.monitor.subject import Subject


class Tab(Protocol):
    """What the fixture gives."""

    requested: list[str]
    complaints: list[str]

    def show(self, address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None: ...
    def ask(self, expression: str) -> object: ...
    def picture(self) -> bytes: ...
    def call(self, method: str, **parameters: object) -> dict[str, object]: ...


MakeBoards = Callable[..., Boards]
MakeSubject = Callable[..., Subject]


@pytest.fixture(scope="module")
def pages(make_boards: MakeBoards, make_subject: MakeSubject, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of pages in a folder: served ones with their policy, and one that is a file."""
    folder: Path = tmp_path_factory.mktemp("pages")
    monitors = {
        "regression": make_subject("trips", baseline="main.s.base"),
        "classification": make_subject("kinds", problem="classification", label="label"),
        "failed": make_subject("none", failure="main.s.none: column 'at' is missing", refreshes=()),
    }
    texts = {
        name: make_boards(one).page(one.table, {}, addresses=Addresses("#", "#", "#")).replace(
            "<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{served_policy().partition("; frame-ancestors")[0]}">', 1
        )
        for name, one in monitors.items()
    }  # fmt: skip
    texts["list"] = make_boards(*monitors.values()).list(str)
    texts["file"] = make_boards(monitors["regression"]).file("main.s.trips")
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: (folder / f"{name}.html").as_uri() for name in texts}


@pytest.mark.parametrize("name", ["regression", "classification", "failed", "list", "file"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desk, light", "phone, dark"])
def test_axe_finds_nothing(tab: Tab, axe: str, pages: dict[str, str], name: str, width: int, *, dark: bool) -> None:
    """Contrast, labels, landmarks, headings, focus, as computed by the browser; nothing is wider than the screen."""
    tab.show(pages[name], width=width, dark=dark)
    tab.ask("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    tab.ask(f"{axe}; 0")

    found = tab.ask("axe.run().then((r) => JSON.stringify(r.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])))")

    assert json.loads(str(found)) == []
    assert tab.ask("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", ["regression", "classification", "list", "file"])
def test_the_browser_has_no_complaint_and_asks_for_nothing(tab: Tab, pages: dict[str, str], name: str) -> None:
    """The policy refuses nothing that the page has; the only request is for the page itself."""
    tab.show(pages[name])

    assert tab.ask("getComputedStyle(document.querySelector('section:not(.bare)')).borderTopStyle") == "solid"
    assert tab.complaints == []
    assert [one for one in tab.requested if not one.startswith("data:")] == [pages[name]]  # `data:`: the browser's own icons of controls


def choose(tab: Tab, name: str, value: str) -> None:
    change = f"one.value = {json.dumps(value)}; one.dispatchEvent(new Event('change', {{bubbles: true}}))"
    tab.ask(f"{{const one = document.getElementById('{name}'); {change}}}")


@pytest.mark.parametrize(
    ("picker", "value", "section", "text"),
    [
        pytest.param("granularity", "1 week", "figures", "1 week", id="granularity"),
        pytest.param("model", "2", "quality", "model 2", id="model"),
        pytest.param("slice", '["zone", "airport"]', "quality", "zone = airport", id="slice"),
        pytest.param("drift", "CONSECUTIVE", "drift", "the window before", id="drift type"),
        pytest.param("measure", "ks", "drift", "Kolmogorov-Smirnov D", id="measure"),
        pytest.param("column", "zone", "distribution", "zone in the window", id="column"),
    ],
)
def test_pickers_of_the_file_work(tab: Tab, pages: dict[str, str], picker: str, value: str, section: str, text: str) -> None:
    """One choice shows its panel, and going back shows the first again."""
    tab.show(pages["file"])
    panel = f"document.querySelector('[data-section={section}]').textContent.replace(/\\s+/g, ' ')"
    first = str(tab.ask(f"document.getElementById('{picker}').value"))
    before = tab.ask(panel)

    choose(tab, picker, value)
    chosen = str(tab.ask(panel))
    choose(tab, picker, first)

    assert text in chosen
    assert chosen != before
    assert tab.ask(panel) == before
    assert tab.complaints == []


def test_a_range_moves_the_charts_of_the_file(tab: Tab, pages: dict[str, str]) -> None:
    """The view box, the names below, and the rows of the tables follow; the picture is another."""
    tab.show(pages["file"])
    whole = tab.picture()

    choose(tab, "from", "2026-01-07T00:00")
    choose(tab, "to", "2026-01-10T00:00")

    assert tab.ask("document.querySelector('[data-section=volume] .zoom').getAttribute('viewBox')") == "2 0 4 100"
    assert tab.ask("document.querySelector('[data-section=volume] .ticks').textContent") == "7 Jan 20268 Jan 202610 Jan 2026"
    assert tab.ask("document.querySelectorAll('[data-section=volume] tr[data-at]:not([hidden])').length") == 4
    assert tab.ask("document.getElementById('said').textContent") == "Showing 4 windows, 7 Jan 2026 to 10 Jan 2026."
    assert tab.picture() != whole


def test_the_file_can_be_used_by_keyboard(tab: Tab, pages: dict[str, str]) -> None:
    """The first stop leads past everything; what has the focus is outlined."""
    tab.show(pages["file"])
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)

    assert tab.ask("document.activeElement.textContent") == "Skip to the figures"
    assert tab.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
