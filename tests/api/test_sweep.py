"""A sweep as an object, on journals of pretended workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tuner
from tests.simulation import SPACE, SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.api import running
from tuner.api.notebook import page_of
from tuner.engine.coordinator import Coordinator
from tuner.storage.journal import Journal
from tuner.sweep import events as ev


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return new_sweep(tmp_path, make_spec(space={**SPACE, "staircase": True, "epochs": {"low": 3, "high": 27}}))


@pytest.fixture
def coordinator(journal: Journal) -> Coordinator:
    return coordinator_of(journal)


def test_it_follows_a_sweep_that_runs(tmp_path: Path, journal: Journal, coordinator: Coordinator) -> None:
    sweep = tuner.load("test", storage=tmp_path)
    assert (sweep.best, sweep.state, len(sweep.trials()), len(sweep.curves())) == (None, "running", 0, 0)
    assert "none yet" in sweep._repr_html_()
    cluster = SimulatedCluster(coordinator, accuracy)
    cluster.run(25)
    best = coordinator.sweep.best
    assert best is not None and sweep.best is not None
    assert (sweep.best.trial, sweep.best.value, sweep.best.epoch) == (best.number, best.best_value, best.best_epoch)
    assert sweep.best.params == best.params and sweep.best.run_id is None
    before = len(sweep.curves())
    cluster.run()
    coordinator.close()
    journal.close()
    assert len(sweep.curves()) == coordinator.sweep.num_epochs > before
    assert sweep.state == "finished" and len(sweep.trials()) == 30 == sweep.spec.num_trials
    assert repr(sweep) == "<tuner.Sweep test: finished, 30 of 30 trials>"
    assert sweep.show()["sweep"] == "test" and sweep.explain(3)["trial"] == 3
    assert sweep.report() == tmp_path / "test" / "report.html" and sweep.path == tmp_path / "test"
    assert [row["sweep"] for row in tuner.sweeps(tmp_path)] == ["test"]
    assert [row["trial"] for row in sweep.trials_data()] == list(range(30))
    assert sweep.metric == "val_accuracy" and sweep.copied_from is None


def test_the_tables_have_what_the_journal_has(tmp_path: Path, journal: Journal, coordinator: Coordinator) -> None:
    SimulatedCluster(coordinator, lambda params, epoch: float("nan") if params["batch_size"] > 64 else 0.5).run(30)
    journal.close()
    trials, curves = tuner.load("test", storage=tmp_path).trials(), tuner.load("test", storage=tmp_path).curves()
    assert list(trials) == [
        "number", "learning_rate", "batch_size", "schedule", "decay_rate", "staircase", "param_epochs", "outcome",
        "best", "best_epoch", "last", "epochs", "attempts", "seconds", "reason", "run_id",
    ]  # fmt: skip
    for row, trial in zip(trials.to_dict("records"), coordinator.sweep.trials.values(), strict=True):
        assert row["number"] == trial.number and row["batch_size"] == trial.params["batch_size"]
        assert row["outcome"] == (trial.outcome or "unfinished") and row["epochs"] == trial.epochs_trained
        assert row["param_epochs"] == trial.params["epochs"] and row["staircase"] is True
        assert row["decay_rate"] == trial.params.get("decay_rate") or "decay_rate" not in trial.params
    assert trials["batch_size"].dtype == "int64" and trials["learning_rate"].dtype == "float64"
    diverged = trials[trials.outcome == "diverged"]
    assert len(diverged) and diverged["best"].isna().all()
    assert list(curves)[:2] == ["number", "epoch"] and list(curves)[-4:] == ["attempt", "seconds", "decision", "reason"]
    assert len(curves) == coordinator.sweep.num_epochs and curves["val_accuracy"].isna().sum() == len(diverged)


def test_whole_numbers_stay_whole_where_some_trials_have_none(tmp_path: Path) -> None:
    with_layers = {"batch_size": {"choices": [1, 2]}, "units": {"low": 1, "high": 9, "when": {"batch_size": 2}}}
    journal = new_sweep(tmp_path, make_spec(space=with_layers))
    for number, params in enumerate(({"batch_size": 1}, {"batch_size": 2, "units": 7})):
        journal.append(ev.TrialSuggested(trial=number, params=params, origin="random"))
    journal.close()
    assert [str(value) for value in tuner.load("test", storage=tmp_path).trials()["units"]] == ["<NA>", "7"]


def test_what_a_user_s_text_holds_is_no_html(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(space={"batch_size": {"choices": ["<script>", "<b>"]}}))
    SimulatedCluster(coordinator_of(journal), lambda params, epoch: 0.5).run(9)
    journal.close()
    page = tuner.load("test", storage=tmp_path)._repr_html_()
    assert "&lt;" in page and "<script>" not in page and "<b>" not in page
    assert "<script>" not in page_of("<script>", "<script>", None, ["<script>"])


def test_what_is_not_there_is_one_line(tmp_path: Path, journal: Journal) -> None:
    journal.close()
    sweep = tuner.load("test", storage=tmp_path)
    with pytest.raises(tuner.UsageError, match="did you mean 'test'"):
        tuner.load("tes", storage=tmp_path)
    with pytest.raises(tuner.UsageError, match="no driver is at work on it; it is interrupted"):
        sweep.stop()
    with pytest.raises(tuner.UsageError, match="has no trial 7: it has none yet"):
        sweep.explain(7)
    with pytest.raises(tuner.UsageError, match="has no usable trial yet"):
        sweep.best_model()
    with pytest.raises(tuner.UsageError, match="two or more different"):
        tuner.compare("test", sweep, storage=tmp_path)


def test_a_process_runs_one_sweep_at_a_time(tmp_path: Path) -> None:
    with running._at_work, pytest.raises(tuner.UsageError, match="one at a time"):
        tuner.run("digits", storage=tmp_path)


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = "import sys, tuner; print([name for name in sys.modules if name.partition('.')[0] in %r])"
    heavy = ["pandas", "numpy", "pydantic", "ray", "keras", "tensorflow", "mlflow", "rich", "msgspec", "trainables"]
    done = subprocess.run([sys.executable, "-c", code % heavy], capture_output=True, text=True)
    assert done.stdout == "[]\n" and done.stderr == ""


def test_every_public_name_is_there_and_the_modules_stay() -> None:
    assert all(getattr(tuner, name) is not None for name in tuner.__all__) and set(tuner.__all__) <= set(dir(tuner))
    from tuner import sweep
    from tuner.sweep import events

    assert sweep.__name__ == "tuner.sweep" and events.__name__ == "tuner.sweep.events"
    with pytest.raises(AttributeError, match="has no attribute 'runn'"):
        tuner.runn  # type: ignore[attr-defined]  # noqa: B018
