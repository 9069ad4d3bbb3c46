"""What an error at the end of a driver says to do."""

from __future__ import annotations

import pytest

from tuner.backend.ending import with_way_on

AGAIN = "tuner resume first"


@pytest.mark.parametrize(
    ("what", "is_begun", "end"),
    [
        ("a checkpoint: the disk is full", True, "full. Once that is mended, go on with: tuner resume first"),
        ("code: did you mean loss?", False, "loss? Once that is mended, go on with: tuner resume first"),
        ("code: was changed", True, "go on with: tuner resume first, with with_changed_code=True"),
        ("code: objective.metric: did you mean loss?", True, "mend it and run it under another name (name)"),
    ],
)
def test_a_sweep_that_has_begun_goes_on_with_mended_code(what: str, is_begun: bool, end: str) -> None:
    text = with_way_on(what, AGAIN, is_begun=is_begun)
    assert text.startswith(what) and text.endswith(end) and "?." not in text
