"""`records`: which parameters MLflow shows as learning_rate, batch_size and epochs."""

from __future__ import annotations

import pytest

from tests.simulation import make_spec
from tuner.base.errors import SpecError
from tuner.spec import SweepSpec, spec_from_mapping

SPACE = {"lr": {"low": 0.001, "high": 0.1}, "width": {"choices": [4, 8]}}


def spec_with(records: dict[str, str], **space: object) -> SweepSpec:
    resolved = make_spec().resolved()
    return spec_from_mapping({**resolved, "space": {**SPACE, **space}, "records": records}, "sweep.yaml")


def test_a_parameter_of_the_space_may_stand_for_the_rate() -> None:
    assert spec_with({"learning_rate": "lr"}).resolved()["records"] == {"learning_rate": "lr"}
    assert make_spec().resolved()["records"] == {}


@pytest.mark.parametrize(
    ("records", "space", "message"),
    [
        ({"learning_rate": "lrr"}, {}, "records.learning_rate: must be a parameter of the space, but got 'lrr'"),
        (
            {"learning_rate": "lr"},
            {"learning_rate": 0.1},
            "records.learning_rate: must be left out, as the space has learning_rate itself",
        ),
        ({"rate": "lr"}, {}, "records"),
    ],
)
def test_what_it_cannot_be_is_one_line(records: dict[str, str], space: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_with(records, **space)
    assert message in str(caught.value)
