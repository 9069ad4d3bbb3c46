"""What is measured follows from the spec: no trainable is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.base.errors import UsageError
from tuner.probe.configuration import batch_sizes, configuration, optimizers
from tuner.probe.messages import About, Done, Rung
from tuner.probe.probing import Wanted, _fits_max, _Found, _ladder
from tuner.probe.result import EpochCurve
from tuner.spec import SweepSpec, spec_from_mapping


def spec_of(**space: Any) -> SweepSpec:
    rate = {"low": 1e-4, "high": 1e-2, "scale": "log"}
    return spec_from_mapping(
        {
            "name": "made",
            "trainable": "digits",
            "objective": {"metric": "val_loss", "mode": "min"},
            "num_trials": 4,
            "epochs": {"max": 3},
            "space": {"learning_rate": rate, **space},
        }
    )


def test_a_configuration_has_defaults_or_the_middle() -> None:
    spec = spec_of(
        units={"low": 16, "high": 64}, act={"choices": ["relu", "tanh"]}, deep={"low": 1, "high": 9},
        late={"low": 0.0, "high": 1.0, "when": {"act": "tanh"}},
    )  # fmt: skip
    found = configuration(spec, {"units": 32, "act": "gelu", "deep": 100})
    assert found["learning_rate"] == pytest.approx(1e-3)
    assert (found["units"], found["act"], found["deep"]) == (32, "relu", 5) and "late" not in found
    assert configuration(spec, {"act": "tanh"})["late"] == pytest.approx(0.5)


def test_batch_sizes_are_those_of_the_spec_that_the_data_hold() -> None:
    choices = spec_of(batch_size={"choices": [16, 32, 64, 4096]})
    assert batch_sizes(choices, (), 32, 100) == [16, 64]
    assert batch_sizes(choices, (), 32, None) == [16, 4096]
    assert batch_sizes(spec_of(batch_size=20), (), 32, 100) == [20]
    assert batch_sizes(spec_of(), (), 32, 1000) == [32, 128]
    assert batch_sizes(choices, (128, 8), 32, 200) == [8, 128]
    assert batch_sizes(choices, (), 32, 10) == [10]


def test_a_batch_size_beyond_the_data_is_refused() -> None:
    with pytest.raises(UsageError, match="at most the 100 training examples, but got 128"):
        batch_sizes(spec_of(), (128,), 32, 100)
    with pytest.raises(UsageError, match="at least 1, but got 0"):
        batch_sizes(spec_of(), (0,), 32, 100)


def test_optimizers_are_those_asked_for_or_the_specs() -> None:
    assert optimizers(spec_of(), ("sgd", "adam", "sgd"), None) == ["sgd", "adam"]
    assert optimizers(spec_of(optimizer={"choices": ["adam", "sgd"]}), (), "rmsprop") == ["adam", "sgd"]
    assert optimizers(spec_of(), (), "rmsprop") == ["rmsprop"]
    with pytest.raises(UsageError, match="but got 'adm'; did you mean adam"):
        optimizers(spec_of(), ("adm",), None)


def test_batch_sizes_that_do_not_fit_are_not_measured_further() -> None:
    found = _Found(about=About(1000, {}, False, False))
    for rung in (Rung(8, 100.0, 1), Rung(16, 190.0, 1), Rung(32), Rung(32, reason="out of memory")):
        found.take(rung, lambda text: None)
    assert _fits_max(found, Wanted(batch_sizes=(8, 64))) == 16
    assert found.notes == ["no rates at a batch of 64: 32 does not fit"]
    ladder = _ladder(found, 1000)
    assert (ladder.largest_fitting, ladder.ended) == (16, "a batch of 32 does not fit")
    assert [step.fits for step in ladder.steps] == [True, True, False]
    assert ladder.steps[0].steps_per_epoch == 125 and ladder.steps[0].epoch_s == pytest.approx(10)


def test_a_size_that_was_only_begun_does_not_count() -> None:
    found = _Found(about=About(1000, {}, False, False))
    for message in (Rung(8, 100.0, 1), Rung(16), Done({"ladder": 1.0})):
        found.take(message, lambda text: None)
    assert list(found.rungs) == [8] and _fits_max(found, Wanted()) is None


def test_a_size_that_was_trained_counts_where_the_ladder_had_no_time() -> None:
    curve = EpochCurve("adam", 32, 1e-2, (0.5, 0.6), (2.0, 1.0))
    found = _Found(about=About(1000, {}, False, False), curves=[curve], rungs={8: Rung(8, 500.0, 1)})
    ladder = _ladder(found, 1000)
    assert [(step.batch_size, step.examples_per_s) for step in ladder.steps] == [(8, 500.0), (32, 1000.0)]
    assert (ladder.largest_fitting, ladder.fastest, ladder.ended) == (32, 32, "no time was left for larger ones")
    found.rungs[16] = Rung(16, reason="out of memory")
    assert [step.batch_size for step in _ladder(found, 1000).steps] == [8, 16]
