"""What a probe has measured survives JSON."""

from __future__ import annotations

import json

import pytest

from tuner.probe.result import (
    BatchStep,
    ClassBalance,
    EpochCurve,
    EpochEstimate,
    Ladder,
    NoiseScale,
    ProbeFormatError,
    ProbeResult,
    RateRange,
    from_data,
)

RESULT = ProbeResult(
    "digits",
    None,
    "val_accuracy",
    "max",
    1437,
    {"units": 64, "activation": "relu"},
    rates=(
        RateRange("adam", 32, 1e-4, 1e-1, 1e-2, None, (1e-5, 1e-3, 1.0), (2.3, 1.0, 1.5)),
        RateRange("sgd", 128, None, None, None, 0.5, (1e-5, 0.5), (2.3, 2.4), "the loss never fell"),
    ),
    ladder=Ladder((BatchStep(8, 1e4, 2**29, 180, 0.14, True), BatchStep(16, None, None, 90, None, False, "died")), 8),
    epochs=EpochEstimate((EpochCurve("adam", 32, 1e-2, (0.8, 0.9), (0.1, 0.1)),), None, 27, "still improved"),
    classes=ClassBalance({"0": 100, "1": 50}, {"0": 0.75, "1": 1.5}),
    noise_scale=NoiseScale(50.0, 20.0, 90.0, 2),
    seconds={"rates": 3.0},
    notes=("a note",),
    at=1.5,
)


def test_a_result_is_the_same_after_json() -> None:
    assert from_data(json.loads(json.dumps(RESULT.as_data()))) == RESULT


def test_unknown_fields_are_left_out_and_a_later_format_is_refused() -> None:
    data = RESULT.as_data()
    assert from_data({**data, "invented_later": 1}) == RESULT
    with pytest.raises(ProbeFormatError, match="newer Tuner"):
        from_data({**data, "format": 2})
    with pytest.raises(ProbeFormatError, match="metric"):
        from_data({key: value for key, value in data.items() if key != "metric"})


def test_the_best_range_is_the_one_whose_loss_fell_furthest() -> None:
    assert RESULT.best_range() == RESULT.rates[0]
    assert RESULT.best_range(128) is None
    assert RESULT.classes is not None and RESULT.classes.ratio == 2
