"""What a new sweep learns of sweeps and runs of before."""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.base.errors import SpecError
from tuner.policy.earlier import EarlierTrial
from tuner.recording.earlier import EarlierRun, read_earlier_runs
from tuner.recording.names import changed_key, param_key
from tuner.recording.warmstart import Source, read_sources, sources_text
from tuner.recording.warmstart.sources import MAX_TRIALS, of_runs, of_sweep
from tuner.spec import SweepSpec
from tuner.storage import StorageRoot
from tuner.storage.journal import read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

SPEC = make_spec(name="two")


def run_sweep(root: Path, **changes: Any) -> Sweep:
    """A sweep that has ended, with diverged trials among its own."""

    def curve(params: dict[str, Any], epoch: int) -> float:
        return math.nan if params["learning_rate"] > 0.005 and epoch > 1 else accuracy(params, epoch)

    journal = new_sweep(root, make_spec(name="one", **changes))
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, curve).run()
    coordinator.close()
    journal.close()
    return fold(read_events(journal.folder))


def test_each_trial_counts_with_its_deepest_epoch_and_value(tmp_path: Path) -> None:
    sweep = run_sweep(tmp_path)
    [source] = read_sources(make_spec(name="two", search={"warm_start": ["one"]}), StorageRoot(tmp_path), "two.yaml")
    assert str(source) == "30 of 30 earlier trials of sweep one are used"
    assert [trial.trial for trial in source.trials] == [str(number) for number in range(30)]
    for earlier, trial in zip(source.trials, sweep.trials.values(), strict=True):
        assert {**earlier.params, "epochs": 27} == trial.params and earlier.epochs_max == 27
        assert earlier.bad == (trial.outcome == "diverged")
        last = trial.epochs[-2] if earlier.bad else trial.epochs[-1]
        assert (earlier.epoch, earlier.value) == (last.epoch, last.metrics["val_accuracy"])
    assert any(trial.bad for trial in source.trials)
    assert source.event.source == "one" and len(source.event.trials) == 30


def test_what_does_not_fit_is_counted_with_its_reason(tmp_path: Path) -> None:
    sweep = run_sweep(tmp_path)
    space = {**SPEC.space.model_dump(exclude_defaults=True), "learning_rate": {"low": 1e-3, "high": 1e-1}}
    source = of_sweep(make_spec(space=space), "one", sweep)
    outside = sum(float(trial.params["learning_rate"]) < 1e-3 for trial in sweep.trials.values())  # type: ignore[arg-type]
    assert 0 < outside < 30
    assert str(source) == (
        f"{30 - outside} of 30 earlier trials of sweep one are used;"
        f" left out are {outside} with another learning_rate than 0.001 to 0.1"
    )


def test_an_unfinished_trial_counts_with_what_it_has_and_not_without() -> None:
    params = {"learning_rate": 0.01, "batch_size": 64, "schedule": "constant", "epochs": 27}
    events: list[ev.AnyEvent] = [ev.SweepStarted(spec=make_spec(name="one").resolved(), versions={}, seed=0)]
    for trial, values in enumerate([(), (0.5, 0.6), (0.5, math.nan), (math.nan,)]):
        events.append(ev.TrialSuggested(trial=trial, params=dict(params), origin="random"))
        events += [
            ev.EpochReported(
                trial=trial, attempt=1, epoch=n, metrics={"val_accuracy": value}, epoch_s=1, decision="", reason=""
            )
            for n, value in enumerate(values, 1)
        ]
    source = of_sweep(SPEC, "one", fold(events))
    assert source.unfit == {"no value yet": 1}
    told = [(trial.trial, trial.epoch, trial.bad) for trial in source.trials]
    assert told == [("1", 2, False), ("2", 1, True), ("3", 0, True)] and math.isnan(source.trials[2].value)


@pytest.mark.parametrize(("is_ours", "key_of"), [(True, param_key), (True, changed_key), (False, str)])
def test_a_run_of_ours_has_its_parameters_under_our_keys_and_any_other_as_they_are(
    is_ours: bool, key_of: Callable[[str], str]
) -> None:
    spec = make_spec(space={"learning_rate": 0.01, "c": {"choices": ["a", "b"]}, "C": {"choices": [1, 2]}})
    params = {"learning_rate": "0.01", key_of("c"): "b", "C": "2", "epochs": "27"}
    [trial] = of_runs(spec, "runs", [EarlierRun("a", params, (0.5,), is_ours, True, False)]).trials
    assert trial.params == {"c": "b", "C": 2}


@pytest.mark.parametrize("epochs", ["0", "-3", "ten", "1" * 12, "2.0"])
def test_a_runs_epochs_that_are_no_number_of_them_are_not_taken_for_one(epochs: str) -> None:
    params = {"learning_rate": "0.01", "batch_size": "64", "schedule": "constant", "epochs": epochs}
    run = EarlierRun("a", params, (0.5, 0.6), is_finished=True, failed=False, is_ours=False)
    [trial] = of_runs(SPEC, "runs", [run]).trials
    assert (trial.epoch, trial.epochs_max) == (2, 2)


@pytest.mark.parametrize(
    "objective", [{"metric": "val_loss", "mode": "max"}, {"metric": "val_accuracy", "mode": "min"}]
)
def test_a_sweep_of_another_objective_says_nothing(tmp_path: Path, objective: dict[str, str]) -> None:
    source = of_sweep(make_spec(objective=objective), "one", run_sweep(tmp_path, num_trials=3))
    left_out = "left out are 3 with another objective (val_accuracy, max)"
    assert str(source) == f"0 of 3 earlier trials of sweep one are used; {left_out}"


def test_a_sweep_without_trials_says_so(tmp_path: Path) -> None:
    new_sweep(tmp_path, make_spec(name="one")).close()
    spec = make_spec(name="two", search={"warm_start": ["one"]})
    [source] = read_sources(spec, StorageRoot(tmp_path), "two.yaml")
    assert str(source) == "sweep one has no earlier trials"


def test_of_a_long_sweep_the_newest_trials_count(tmp_path: Path) -> None:
    sweep = run_sweep(tmp_path, num_trials=2)
    trial = sweep.trials[0]
    sweep.trials = dict.fromkeys(range(MAX_TRIALS + 5), trial)
    source = of_sweep(SPEC, "one", sweep)
    assert len(source.trials) == MAX_TRIALS
    assert str(source).endswith("left out are 5 with numbers below those of the newest 1000")


def test_random_draws_and_grids_learn_nothing_and_it_is_told() -> None:
    sources = [Source("a", "sweep"), Source("b", "experiment")]
    assert sources_text(make_spec(), sources) == "sweep a has no earlier trials; experiment b has no earlier trials"
    random = make_spec(search={"algorithm": "random"})
    assert sources_text(random, sources).endswith("; random only leaves out what they tried")


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    new_sweep(tmp_path, make_spec(name="digits-a")).close()
    spec = make_spec(name="two", search={"warm_start": ["digits-b", "digits-a", "x"]})
    with pytest.raises(SpecError) as caught:
        read_sources(spec, StorageRoot(tmp_path), "two.yaml")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    rule = f"must name a sweep in {tmp_path}, or an experiment in {uri}, but got"
    assert str(caught.value).splitlines() == [
        f"two.yaml: search.warm_start[0]: {rule} 'digits-b'; did you mean 'digits-a'?",
        f"two.yaml: search.warm_start[2]: {rule} 'x'; known: digits-a",
    ]


def test_a_name_stands_once() -> None:
    with pytest.raises(SpecError, match=r"search\.warm_start\[1\]: must not stand in the list twice, but got 'one'"):
        make_spec(search={"warm_start": ["one", "one"]})
    with pytest.raises(SpecError, match=r"search\.warm_start: must be a list, but got 'one'"):
        make_spec(search={"warm_start": "one"})


PARAMS = {"learning_rate": "0.01", "batch_size": "64", "schedule": "constant", "decay_rate": "inactive"}


def run_of(values: tuple[float, ...], *, is_ours: bool = True, is_finished: bool = True, **more: Any) -> EarlierRun:
    params = {**PARAMS, **more.pop("params", {})}
    return EarlierRun("r1", params, values, is_ours, is_finished, more.pop("failed", False))


@pytest.mark.parametrize(
    ("run", "known"),
    [
        (run_of((0.5, 0.6, 0.7), params={"epochs": "9"}), (3, 9, 0.7, False)),
        (run_of((0.5,), params={"epochs": "9"}), (1, 9, 0.5, False)),
        (run_of((0.5, math.nan), is_finished=False, failed=True, params={"epochs": "9"}), (1, 9, 0.5, True)),
        (run_of((), is_finished=False, failed=True, params={"epochs": "9"}), (0, 9, math.nan, True)),
        (run_of((0.5,), is_ours=False), (27, 27, 0.5, False)),
        (run_of((0.5,), is_ours=False, params={"epochs": "5"}), (5, 5, 0.5, False)),
        (run_of((0.5, 0.6), is_ours=False), (2, 2, 0.6, False)),
        (run_of((0.5, math.inf), is_ours=False), (1, 2, 0.5, True)),
    ],
)
def test_a_run_counts_with_its_last_value(run: EarlierRun, known: tuple[int, int, float, bool]) -> None:
    [trial] = of_runs(SPEC, "mine", [run]).trials
    assert trial.params == {"learning_rate": 0.01, "batch_size": 64, "schedule": "constant"}
    assert str((trial.epoch, trial.epochs_max, trial.value, trial.bad)) == str(known)


def test_runs_that_say_nothing_are_counted_with_their_reasons() -> None:
    other = EarlierRun("r2", {"alpha": "1"}, (0.5,), False, True, False)
    source = of_runs(SPEC, "mine", [run_of(()), run_of((0.5,), is_finished=False), other, other, run_of((0.4,))])
    assert str(source) == (
        "1 of 5 earlier trials of experiment mine are used;"
        " left out are 2 with no learning_rate, 1 with no val_accuracy, 1 with no end"
    )


def test_of_a_large_experiment_the_newest_runs_count_and_it_is_told() -> None:
    runs = [run_of((0.5,)) for _ in range(MAX_TRIALS)]
    assert str(of_runs(SPEC, "mine", runs)) == "1000 of 1000 earlier trials of experiment mine are used"
    source = of_runs(SPEC, "mine", [*runs, run_of((0.9,))])
    assert str(source) == "1000 of the newest 1000 earlier trials of experiment mine are used"
    assert {trial.value for trial in source.trials} == {0.5}


@pytest.mark.slow
def test_an_experiment_of_ours_and_of_others_is_read_from_mlflow(tmp_path: Path) -> None:
    from tuner.recording import record

    sweep = run_sweep(tmp_path, num_trials=8)
    root = StorageRoot(tmp_path)
    record(root.sweep("one"))
    spec: SweepSpec = make_spec(name="two", search={"warm_start": ["one"]})
    [from_journal] = read_sources(spec, root, "two.yaml")
    shutil.rmtree(tmp_path / "one")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        client = MlflowClient(root.default_tracking_uri)
        experiment = client.create_experiment("by-hand")
        for status in ("FINISHED", "RUNNING"):
            run = client.create_run(experiment)
            for name, text in {"learning_rate": "1e-3", "batch_size": "32", "schedule": "constant"}.items():
                client.log_param(run.info.run_id, name, text)
            client.log_metric(run.info.run_id, "val_accuracy", 0.75)
            client.log_metric(run.info.run_id, "best_f1", 0.5)
            if status == "FINISHED":
                client.set_terminated(run.info.run_id)
        run = client.create_run(experiment)
        for name, text in {"learning_rate": "1e-3", "batch_size": "32.0", "schedule": "constant"}.items():
            client.log_param(run.info.run_id, name, text)
        client.log_metric(run.info.run_id, "val_accuracy", math.inf)
        client.set_terminated(run.info.run_id)
    spec = make_spec(name="two", search={"warm_start": ["one", "by-hand"]})
    ours, others = read_sources(spec, root, "two.yaml")
    assert (ours.kind, len(ours.trials)) == ("experiment", 8) and len(sweep.trials) == 8

    def facts(source: Any) -> list[str]:
        return sorted(f"{sorted(t.params.items())} {t.epoch} {t.epochs_max} {t.value} {t.bad}" for t in source.trials)

    assert facts(ours) == facts(from_journal)
    assert str(others) == "2 of 3 earlier trials of experiment by-hand are used; left out are 1 with no end"
    assert facts(others)[0].endswith(" 0 27 nan True")
    assert (others.trials[1].epoch, others.trials[1].value) == (27, 0.75)
    best = read_earlier_runs(root.default_tracking_uri, "by-hand", "best_f1", 9)  # a key of ours in runs of ours alone
    assert [run.values for run in best] == [(), (0.5,), (0.5,)]
    assert not any(run.values for run in read_earlier_runs(root.default_tracking_uri, "one", "best_epoch", 9))
    sums = read_earlier_runs(root.default_tracking_uri, "by-hand", "val_accuracy - 0.5 * best_f1", 9)
    assert [run.values for run in sums] == [(), (0.5,), (0.5,)]
    with pytest.raises(SpecError, match=r"but got 'by-hnd'; did you mean 'by-hand'"):
        read_sources(make_spec(name="two", search={"warm_start": ["by-hnd"]}), root, "two.yaml")


@pytest.mark.parametrize("kind", ["sweep", "experiment"])
def test_of_more_than_the_journal_has_room_for_the_oldest_are_left_out(kind: str) -> None:
    """A sweep's trials come by number, an experiment's runs the newest first."""
    source = Source("one", kind)
    for number in range(100):
        params = {f"p{index}": "x" * 500 for index in range(400)}
        source.add(lambda number=number, params=params: EarlierTrial("one", str(number), params, 1, 27, 0.5, False))
    source.bound()
    left = [int(trial.trial) for trial in source.trials]
    assert 30 < len(left) < 60
    assert left == list(range(100))[-len(left) :] if kind == "sweep" else list(range(len(left)))
    assert len(ev.encode(source.event)) < 8 * 2**20 + 1000
    assert f"{100 - len(left)} with no room in 8 MiB beside the newer ones" in str(source)
