"""Advice as a whole: what is set is accepted, commands can be pasted, and noise is met with silence."""

from __future__ import annotations

import copy
import math
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.simulation import make_spec, new_sweep
from tests.synthetic import UNKNOWN, Curve, swept
from tuner.analysis.advice import Advice, advice, advice_data, why_silent
from tuner.analysis.advice.chance import chance_as_good, chance_as_many
from tuner.analysis.importance_values import Importance, Share
from tuner.spec import spec_from_mapping
from tuner.spec.changes import changes_from_overrides
from tuner.spec.reading import apply_override
from tuner.storage import SweepFolder
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

RANGES: list[dict[str, Any]] = [
    {"low": 1e-4, "high": 1e-1, "scale": "log"},
    {"low": 0.0, "high": 0.5},
    {"low": 0.1, "high": 0.9, "step": 0.1},
    {"low": 1, "high": 8},
    {"low": 16, "high": 512, "scale": "log"},
    {"low": 32, "high": 256, "step": 32},
    {"low": 1e-4, "high": 1e-1, "scale": "log", "num": 4},
    {"low": -1.0, "high": 1.0},
    {"choices": [16, 32, 64]},
    {"choices": [0.1, 0.01, 0.001]},
    {"choices": ["a: b", "it's", "yes"]},
    {"choices": [[64], [128, 64], None]},
    {"low": 16, "high": 128, "scale": "log", "repeat": 2},
]


def drawn(seed: int) -> tuple[dict[str, Any], Curve]:
    """A space of several kinds of parameters, and a curve of some of them that may diverge or fail."""
    rng = np.random.default_rng(seed)
    names = ["learning_rate", "dropout", "momentum", "units", "x", "y"][: rng.integers(1, 7)]
    space = {name: dict(RANGES[rng.integers(len(RANGES))]) for name in names}
    space["learning_rate"] = dict(RANGES[rng.choice([0, 0, 6, 9])])
    first = names[0]
    if "choices" in space[first] and len(names) > 1:
        wanted = space[first]["choices"][0]
        space["conditional"] = {"low": 0.1, "high": 0.9, "when": {first: wanted}}
    weights = {name: rng.normal() * rng.choice([0, 1, 3]) for name in space}
    ends_badly, noise = rng.random(2) < 0.3, rng.normal(size=1000)

    def number(value: Any) -> float:
        if isinstance(value, list):
            return sum(map(number, value)) / max(1, len(value))
        return math.log(abs(value) + 1e-3) if isinstance(value, int | float) else len(str(value))

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        total = sum(weights.get(name, 0) * number(value) for name, value in params.items())
        if ends_badly[0] and total > 4:
            raise ValueError("too large")
        return math.nan if ends_badly[1] and total < -4 else float(total + 0.1 * noise[trial] - math.exp(-epoch / 9))

    return space, curve


def assert_pasteable(sweep: Sweep, piece: Advice) -> None:
    """What is set passes the spec's own parser and check, and the text holds it, quoted for a shell."""
    assert piece.text == (f"{piece.says} {piece.command}" if piece.set else piece.says)
    if not piece.set:
        return
    words = shlex.split(piece.command)
    assert [words[place + 1] for place, word in enumerate(words) if word == "--set"] == piece.set
    if words[1] == "resume":
        assert changes_from_overrides(sweep.spec, piece.set, sweep.num_counted)
        return
    changed = copy.deepcopy(sweep.spec)
    for override in piece.set:
        apply_override(changed, override)
    spec_from_mapping(changed, is_new=True)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_whatever_is_set_is_accepted(mode: str) -> None:
    said: Counter[str] = Counter()
    for seed in range(60):
        space, curve = drawn(seed)
        spec = {"objective": {"metric": "score", "mode": mode}, "num_trials": [1, 8, 24, 64][seed % 4]}
        sweep = swept(curve, space=space, search={"algorithm": ["random", "tpe"][seed % 8 == 0], "seed": seed}, **spec)
        for piece in advice(sweep, UNKNOWN):
            assert_pasteable(sweep, piece)
            said[piece.rule] += 1
    assert {"at_bound", "time_lost"} <= set(said)


ABOUT_THE_SPACE = {"at_bound", "coupled", "does_not_matter", "time_lost", "more_trials"}


@pytest.mark.parametrize(("algorithm", "count"), [("random", 60), ("tpe", 12)])
@pytest.mark.parametrize("stopping", ["asha", "none"])
def test_sweeps_of_noise_are_met_with_silence_about_their_space(algorithm: str, count: int, stopping: str) -> None:
    """In 200 at random 1 spoke; 3 in 60 would be 5%."""
    space = {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "batch_size": {"choices": [16, 32, 64, 128, 256]},
        "dropout": {"low": 0.0, "high": 0.5},
        "units": {"low": 32, "high": 256, "step": 32},
        "depth": {"low": 1, "high": 4},
    }
    spoke = 0
    for seed in range(count):
        ends = np.random.default_rng(seed).normal(size=100)
        sweep = swept(
            lambda params, epoch, trial, ends=ends: float(0.9 + 0.01 * ends[trial] - 0.5 * math.exp(-epoch / 5)),
            space=space,
            num_trials=[24, 64][seed % 2],
            search={"algorithm": algorithm, "seed": seed},
            early_stopping={"algorithm": stopping},
        )
        spoke += bool(ABOUT_THE_SPACE & {piece.rule for piece in advice(sweep, UNKNOWN)})
    assert spoke <= max(1, 0.05 * count)


def test_what_matters_is_weighed_where_the_caller_does_not_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Importance({"learning_rate": Share(1, 0.9, 1), "dropout": Share(0, 0, 0.01)}, {}, {}, {}, 40, 0.9)
    monkeypatch.setattr("tuner.analysis.importance.weighed", lambda sweep: known)
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}, "dropout": {"low": 0.0, "high": 0.5}}
    sweep = swept(lambda p, e, t: -((math.log10(p["learning_rate"]) + 2.5) ** 2), space=space, num_trials=40)
    assert "does_not_matter" in [piece.rule for piece in advice(sweep)]
    assert "does_not_matter" not in [piece.rule for piece in advice(sweep, UNKNOWN)]


def rising_sweep(name: str = "test") -> Sweep:
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}}
    return swept(lambda params, epoch, trial: math.log10(params["learning_rate"]), space=space, name=name)


def test_commands_name_the_sweeps_folder_and_a_free_name(tmp_path: Path) -> None:
    root = tmp_path / "a root"
    for name in ("first", "first-2"):
        new_sweep(root, make_spec(name=name)).close()
    noise = np.random.default_rng(0).normal(size=(100, 100))
    sweep = swept(lambda params, epoch, trial: float(0.9 + 0.01 * noise[trial, epoch]), name="first")
    [piece] = advice(sweep, UNKNOWN, folder=SweepFolder(root / "first"))
    assert piece.rule == "cannot_tell_apart"
    assert shlex.split(piece.command)[:7] == [
        "tuner", "run", f"{root}/first/spec.yaml", "--name", "first-3", "--storage", str(root),
    ]  # fmt: skip
    [bound] = [piece for piece in advice(rising_sweep("first"), UNKNOWN, folder=SweepFolder(root / "first"))]
    assert shlex.split(bound.command)[:5] == ["tuner", "resume", "first", "--storage", str(root)]


def test_a_sweep_that_still_runs_needs_no_more_trials_for_a_change() -> None:
    sweep = rising_sweep()
    sweep.spec["num_trials"] = 200
    [piece] = advice(sweep, UNKNOWN)
    assert piece.set == ["space.learning_rate.high=0.3"]


def test_json_has_three_keys() -> None:
    [data] = advice_data(advice(rising_sweep(), UNKNOWN))
    assert list(data) == ["rule", "text", "set"] and data["rule"] == "at_bound"


def test_without_a_spec_or_trials_there_is_no_advice() -> None:
    empty = {"name": "s", "objective": {"metric": "score", "mode": "max"}, "num_trials": 9, "space": {}}
    assert advice(fold([ev.SweepStarted(at=0.0, seq=0, spec=empty, versions={}, seed=0)])) == []
    assert advice(fold([ev.SweepStarted(at=0.0, seq=0, spec=make_spec().resolved(), versions={}, seed=0)])) == []
    assert why_silent({"completed": 1, "unfinished": 4}) == "1 trial has ended, and most rules need 12"
    assert why_silent({"completed": 40}).startswith("none of the rules finds more in the 40 trials than chance")


def test_the_chances_are_those_of_the_tests_named() -> None:
    from scipy.stats import fisher_exact, mannwhitneyu

    places, others = [1.0, 2.0, 4.0, 5.5, 5.5], [3.0, *map(float, range(7, 30))]
    known = mannwhitneyu(places, others, alternative="less", method="asymptotic").pvalue
    assert math.isclose(chance_as_good(places, others), known, rel_tol=1e-9)
    table = [[7, 2], [3, 40]]
    assert math.isclose(chance_as_many(7, 9, 10, 52), fisher_exact(table, alternative="greater").pvalue, rel_tol=1e-9)


def test_rules_without_a_forest_import_no_scikit_learn() -> None:
    code = "import sys, tuner.analysis.advice; print([m for m in ('sklearn', 'pandas', 'ray') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
