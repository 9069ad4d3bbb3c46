"""A sweep that begins with what a probe found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.probe.measured import probe
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec
from tuner.base.coupling import trained_params
from tuner.base.errors import SpecError
from tuner.engine.replay import replay, verify
from tuner.probe.journal import record
from tuner.probe.suggestions import Suggestions
from tuner.recording.warmstart import read_sources, sources_text
from tuner.spec import SweepSpec, dump_yaml
from tuner.storage import StorageRoot
from tuner.storage.journal import create_sweep, read_events
from tuner.sweep import events as ev

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "batch_size": {"choices": [16, 32, 64]},
    "units": {"low": 16, "high": 128},
    "dropout": 0.5,
}


def spec_of(**changes: Any) -> SweepSpec:
    return make_spec(**{"space": SPACE, "search": {"warm_start": ["probe"], "seed": 3}, **changes})


def test_its_points_come_first_after_those_of_the_spec_and_the_journal_says_so(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path)
    record(root, Suggestions(probe()))
    own = {"learning_rate": 0.05, "batch_size": 64, "units": 100}
    spec = spec_of(search={"warm_start": ["probe"], "seed": 3, "points": [own]}, num_trials=12)
    [source] = read_sources(spec, root, "spec")
    assert sources_text(spec, [source]).startswith(
        "the sweep begins with 3 of 3 configurations of the probe of digits of"
    )
    assert source.event.trials == [] and source.event.source.startswith("probe of digits")
    started = ev.SweepStarted(spec=spec.resolved(), versions={}, seed=3, sweep_id="0" * 32)
    journal = create_sweep(root.sweep(spec.name), dump_yaml(spec.resolved()), started, [source.event])
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, accuracy).run()
    coordinator.close()
    journal.close()
    events = read_events(root.sweep(spec.name))
    suggested = [event for event in events if isinstance(event, ev.TrialSuggested)]
    assert [event.origin for event in suggested[:5]] == [*["point"] * 4, "random"] and len(suggested) == 12
    assert suggested[0].params == {**own, "dropout": 0.5, "epochs": 27}
    first = {"learning_rate": 0.003, "batch_size": 32, "units": 64, "dropout": 0.5, "epochs": 27}
    assert suggested[1].params == first and [event.params["batch_size"] for event in suggested[2:4]] == [16, 64]
    assert verify(events) == []


def test_after_a_resume_points_outside_of_the_new_ranges_are_left_out(tmp_path: Path) -> None:
    record(StorageRoot(tmp_path), Suggestions(probe()))
    [source] = read_sources(spec_of(), StorageRoot(tmp_path), "spec")
    narrow = spec_of(space={**SPACE, "batch_size": {"choices": [64]}})
    policy = replay(narrow, [source.event])
    assert [policy.ask().origin for _ in range(2)] == ["point", "random"]  # type: ignore[union-attr]


def test_what_does_not_lie_in_the_space_is_told(tmp_path: Path) -> None:
    record(StorageRoot(tmp_path), Suggestions(probe()))
    wider = spec_of(space={**SPACE, "batch_size": {"choices": [64, 128]}, "depth": {"low": 1, "high": 3}})
    text = sources_text(wider, read_sources(wider, StorageRoot(tmp_path), "spec"))
    assert "begins with 0 of 3" in text and "2 with another batch_size than one of its choices, 1 with no depth" in text


@pytest.mark.parametrize("of_probe", [None, ("linear", 32), ("sqrt", 16)])
@pytest.mark.parametrize("of_sweep", [None, ("linear", 32), ("sqrt", 64)])
def test_points_train_with_the_rates_that_were_measured(tmp_path: Path, of_probe: Any, of_sweep: Any) -> None:
    def coupled(how: Any) -> dict[str, Any]:
        scaled = dict(zip(("scale_learning_rate", "base"), how, strict=True)) if how else {}
        return {**SPACE, "batch_size": {"choices": [16, 32, 64], **scaled}}

    suggestions = Suggestions(probe(), of_probe)
    record(StorageRoot(tmp_path), suggestions)
    [source] = read_sources(spec_of(space=coupled(of_sweep)), StorageRoot(tmp_path), "spec")
    trained = [trained_params(coupled(of_sweep), point)["learning_rate"] for point in source.points]
    meant = [trained_params(coupled(of_probe), point)["learning_rate"] for point in suggestions.points]
    assert trained == pytest.approx(meant) and len(meant) == 3


def test_parameters_that_are_inactive_beside_it_do_not_matter(tmp_path: Path) -> None:
    record(StorageRoot(tmp_path), Suggestions(probe(params={"units": 64, "schedule": "constant", "decay_rate": 0.5})))
    space = {
        **SPACE,
        "schedule": {"choices": ["constant", "exponential"]},
        "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
    }
    [source] = read_sources(spec_of(space=space), StorageRoot(tmp_path), "spec")
    assert len(source.points) == 3 and "decay_rate" not in source.points[0]


def test_a_probe_of_something_else_is_not_used(tmp_path: Path) -> None:
    record(StorageRoot(tmp_path), Suggestions(probe()))
    rule = (
        r"search\.warm_start\[0\]: there is no probe of mlp with data 'mnist' in .*, only of digits: measure one with"
    )
    with pytest.raises(SpecError, match=rule):
        read_sources(spec_of(trainable="mlp", data="mnist"), StorageRoot(tmp_path), "spec")
    with pytest.raises(SpecError, match=r"there is no probe of digits in .*: measure one with `tuner probe`, or leave"):
        read_sources(spec_of(), StorageRoot(tmp_path / "elsewhere"), "spec")


def test_a_grid_begins_with_it_too(tmp_path: Path) -> None:
    record(StorageRoot(tmp_path), Suggestions(probe()))
    spec = spec_of(search={"warm_start": ["probe"], "algorithm": "random"})
    [source] = read_sources(spec, StorageRoot(tmp_path), "spec")
    assert "only leaves out" not in sources_text(spec, [source])
    policy = replay(spec, [source.event])
    assert [policy.ask().origin for _ in range(4)] == [*["point"] * 3, "random"]  # type: ignore[union-attr]
