"""Sweeps of every odd kind: whatever reads them works, or says in one line why it cannot."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from altair.utils import schemapi

import tuner
from tests.command_line import run_here
from tests.report.sweeps import NASTY
from tests.simulation import SPACE, make_spec
from tuner.report.charts import FIGURES
from tuner.spec import dump_yaml
from tuner.spec.space import Space
from tuner.storage import SweepFolder
from tuner.storage.journal import create_sweep
from tuner.sweep import events as ev

HURTS = f"{NASTY}|`a`\\*_[x](y)\n# @b"
LISTS: dict[str, Any] = {
    **SPACE,
    "depth": {"low": 0, "high": 3},
    "units": {"low": 8, "high": 64, "scale": "log", "repeat": "depth"},
    "sizes": {"choices": [[64], [128, 64], None, True, 1]},
}
KINDS: dict[str, dict[str, Any]] = {
    "no_trial_yet": {"trials": 0, "outcome": None, "ended": False},
    "one_trial": {"trials": 1},
    "one_that_runs": {"trials": 1, "outcome": None, "ended": False},
    "one_epoch": {"trials": 14, "epochs": 1},
    "all_failed": {"trials": 14, "outcome": "failed", "value": None},
    "all_diverged": {"trials": 14, "outcome": "diverged", "value": None},
    "all_infeasible": {"trials": 3, "outcome": "infeasible", "epochs_trained": 0},
    "all_cancelled": {"trials": 14, "outcome": "cancelled"},
    "none_has_trained": {"trials": 14, "outcome": "failed", "epochs_trained": 0},
    "all_alike": {"trials": 14, "value": lambda trial, epoch: 0.5},
    "values_of_any_size": {"trials": 14, "value": lambda trial, epoch: (-1.0) ** trial * 10.0 ** (22 * trial)},
    "highest_is_best": {"trials": 14, "objective": {"metric": "score", "mode": "max"}},
    "nothing_searched": {"trials": 14, "space": {"learning_rate": 0.1}},
    "a_script": {"trials": 14, "is_script": True, "space": {"x": {"low": -1.0, "high": 1.0}}},
    "conditions_and_lists": {"trials": 40, "space": LISTS, "outcome": ("completed", "failed", None, "stopped")},
    "names_that_hurt": {
        "trials": 14, "epochs": 1, "trial_reason": HURTS,
        "as_before": {
            "objective": {"metric": HURTS, "mode": "min"}, "trainable": HURTS,
            "space": {HURTS: {"low": 0.0, "high": 1.0}, "kind": {"choices": [HURTS, "|", "`", "x" * 3000]}},
        },
    },
    "resumed_with_other_ranges": {
        "trials": 20, "ended": False,
        "resumed": {"space": {"learning_rate": {"low": 0.01, "high": 3.0, "scale": "log"}}, "num_trials": 40},
    },
    "last_epoch_counts": {
        "trials": 14,
        "early_stopping": {"algorithm": "asha", "patience": {"patience": 1, "restore_best": False}},
        "outcome": ("plateaued", "completed"),
    },
}  # fmt: skip

DRAWN = ("names_that_hurt",)
"""Kinds of which images are made: that takes seconds."""


def create(
    root: Path,
    name: str,
    *,
    trials: int,
    value: Callable[[int, int], float] | None = lambda trial, epoch: 1.0 / (trial + epoch),
    outcome: str | tuple[str | None, ...] | None = "completed",
    epochs: int = 3,
    epochs_trained: int | None = None,
    resumed: dict[str, Any] | None = None,
    is_script: bool = False,
    as_before: dict[str, Any] | None = None,
    trial_reason: str = "all epochs",
    ended: bool = True,
    **spec: Any,
) -> None:
    """A sweep with these values in its journal; outcomes repeat.

    Args:
        value: of (trial, epoch); None where no value is finite.
        as_before: what of the spec an earlier version has written, which this one refuses.
    """
    changes = {"objective": {"metric": "score", "mode": "min"}, "num_trials": max(1, trials), **spec}
    written = make_spec(name=name, epochs={"min": 1, "max": epochs}, **changes).resolved() | (as_before or {})
    first = ev.SweepStarted(spec=written, versions={"python": "3"}, seed=0, sweep_id=f"{name:0>32}", script=is_script)
    events: list[ev.AnyEvent] = [ev.SlotsChanged(slots=1)]
    outcomes = outcome if isinstance(outcome, tuple) else (outcome,)
    rng = np.random.default_rng(0)
    for trial in range(trials):
        how = outcomes[trial % len(outcomes)]
        events.append(
            ev.TrialSuggested(trial=trial, params={"epochs": epochs, **drawn(written["space"], rng)}, origin="random")
        )
        events.append(ev.TrialStarted(trial=trial, attempt=1, node="here", pid=1, gpus=[]))
        last = epochs_trained if epochs_trained is not None else epochs if how == "completed" else 1
        for epoch in range(1, last + 1):
            found = {"loss": 0.1, written["objective"]["metric"]: None if value is None else value(trial, epoch)}
            events.append(
                ev.EpochReported(
                    trial=trial, attempt=1, epoch=epoch, metrics=found, epoch_s=0.5, decision="continue", reason=""
                )
            )
        if how is not None:
            events.append(ev.TrialEnded(trial=trial, outcome=how, reason=trial_reason))  # type: ignore[arg-type]
    events += [ev.SweepResumed(changes=resumed), ev.SlotsChanged(slots=0)] if resumed is not None else []
    events += [ev.SweepEnded(reason="all trials ended")] if ended else []
    journal = create_sweep(SweepFolder(root / name), dump_yaml(written), first)
    journal.append(*events)
    journal.close()


def drawn(space: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """A configuration of a space, whatever its names and choices."""
    if HURTS not in space:
        return dict(Space.model_validate(space).sample(rng))
    choices = space["kind"]["choices"]
    return {HURTS: float(rng.random()), "kind": choices[int(rng.integers(len(choices)))]}


@pytest.fixture(params=KINDS)
def sweep(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuner.Sweep]:
    monkeypatch.chdir(tmp_path)
    create(tmp_path, request.param, **KINDS[request.param])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield tuner.load(request.param, storage=tmp_path)


def strict(text: str) -> Any:
    """JSON as everybody reads it, without NaN."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_whatever_reads_a_sweep_reads_it(sweep: tuner.Sweep, tmp_path: Path) -> None:
    says(sweep, tmp_path)
    reports(sweep, tmp_path)
    plots(sweep)
    compares(sweep, tmp_path)


def says(sweep: tuner.Sweep, root: Path) -> None:
    shown = strict(run("show", sweep.name, "--storage", str(root), "--json"))
    assert isinstance(shown["advice"], list) and all(set(it) == {"rule", "text", "set"} for it in shown["advice"])
    importance = shown["importance"]
    assert importance is None or sum(it["value"] for it in importance.values()) == pytest.approx(1)
    assert importance is None or all(set(it) == {"value", "low", "high"} for it in importance.values())
    assert strict(run("advise", sweep.name, "--storage", str(root), "--json")) == shown["advice"]
    run("show", sweep.name, "--storage", str(root))
    run("advise", sweep.name, "--storage", str(root))
    assert sweep._repr_html_()


def reports(sweep: tuner.Sweep, root: Path) -> None:
    page, text = sweep.report_text("html"), sweep.report_text("md")
    assert strict(page.split('id="report">')[1].split("</script>")[0])
    assert "<b>" not in page.split("<main>")[1].split("</main>")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1
    assert strict(sweep.report_text("json"))["importance"] == sweep.show()["importance"]
    if sweep.name in DRAWN:
        assert sweep.report("x.png").exists() and sweep.report("x.md").exists()
    elif not sweep.trials_data():
        with pytest.raises(tuner.UsageError, match=r"sweep \w+ has nothing to draw yet"):
            sweep.report("x.png")


def plots(sweep: tuner.Sweep) -> None:
    for name in FIGURES:
        try:
            with schemapi.debug_mode(False):  # tests/report/test_charts.py validates them
                chart = getattr(sweep.plot, name)()
        except tuner.UsageError as error:
            assert re.fullmatch(rf"plot\.{name}: nothing to show of sweep .*: \w.*", str(error))
        else:
            assert strict(json.dumps(chart.to_dict(validate=False)))


def compares(sweep: tuner.Sweep, root: Path) -> None:
    create(
        root,
        "other",
        trials=6,
        as_before={"objective": KINDS[sweep.name].get("objective", {"metric": sweep.metric, "mode": "min"})},
    )
    found = tuner.compare(sweep.name, "other", storage=root)
    assert strict(json.dumps(found))["pairs"] and found._repr_html_()
    both = ("compare", sweep.name, "other", "--storage", str(root))
    assert strict(run(*both, "--json")) == strict(json.dumps(found))
    assert "<b>" not in run(*both, "-o", "-").split("<main>")[1].split("</main>")[0]
    tables = re.split(r"\n### ", run(*both, "--format", "md"))[1:]
    for rows in ([line for line in table.splitlines() if line.startswith("|")] for table in tables):
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    run(*both)


def run(*words: str) -> str:
    """A command's output; it succeeds."""
    ran = run_here(*words, environment={"COLUMNS": "200"})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
