"""What of an answer concerns a bundle: the fields that it gives, however much else the workspace knows."""

from collections.abc import Mapping

from harness.bundle.calls import Body
from harness.bundle.nodes import Json


def like(answer: Body, sent: Mapping[str, object]) -> Body:
    """Return the fields of `answer` that `sent` gives, and of those within them the same; a list of another length whole."""
    return {key: _alike(answer[key], sent[key]) for key in sent if key in answer}


def _alike(answer: Json, sent: object) -> Json:
    if isinstance(answer, dict) and isinstance(sent, Mapping):
        return like(answer, sent)
    if isinstance(answer, list) and isinstance(sent, list) and len(answer) == len(sent):
        return [_alike(one, other) for one, other in zip(answer, sent, strict=True)]
    return answer
