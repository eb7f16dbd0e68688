"""The gate's picture: everything on it, whatever was decided."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from taxi_fare_training.gate import Weighed, weigh
from taxi_fare_training.picture import gate_picture

CHAMPION = np.random.default_rng(1).normal(0, 2.0, 2000)
TITLE = "a_catalog_with_a_long_name.a_schema_with_a_long_name.fare_predictor_model version 123, Champion version 122"


@pytest.fixture(
    params=[
        pytest.param(0.9 * CHAMPION, id="better"),
        pytest.param(1.1 * CHAMPION, id="worse"),
        pytest.param(CHAMPION, id="the same"),
        pytest.param(0.0 * CHAMPION, id="perfect"),
        pytest.param(np.random.default_rng(2).permutation(CHAMPION), id="chance"),
    ]
)
def weighed(request: pytest.FixtureRequest) -> Weighed:
    """A candidate beside the Champion."""
    return weigh(request.param, CHAMPION)


@pytest.fixture
def picture(weighed: Weighed) -> Figure:
    """The picture of it, laid out."""
    figure = gate_picture(weighed, TITLE)
    figure.draw_without_rendering()
    return figure


def test_no_text_is_cut_off(picture: Figure) -> None:
    """Title, labels and legend lie inside the picture."""
    texts = [text for text in picture.findobj(Text) if isinstance(text, Text) and re.search("[a-z]", text.get_text())]
    inside = picture.bbox
    cut = [text.get_text() for text in texts if not all(inside.contains(*corner) for corner in text.get_window_extent().corners())]
    assert len(texts) == 7
    assert cut == []


def test_zero_interval_and_least_effect_are_in_sight(picture: Figure, weighed: Weighed) -> None:
    """Whatever led to the decision lies between the ends of the axis, which is no wider than three times what there is to see."""
    decision = weighed.decision
    left, right = picture.axes[0].get_xlim()
    shown = [0.0, decision.lower or 0.0, decision.upper or 0.0, decision.needed or 0.0, decision.improvement or 0.0]
    assert left < min(shown)
    assert max(shown) < right
    assert right - left < 3 * max(max(shown) - min(shown), float(np.ptp(weighed.means)))


def test_title_says_what_was_decided(picture: Figure, weighed: Weighed) -> None:
    """The verdict and its reason, whole."""
    words = " ".join(picture.axes[0].get_title(loc="left").split())
    verdict = "better" if weighed.decision.is_better else "not better"
    assert words == f"{TITLE} {verdict}: {weighed.decision.reason}"
