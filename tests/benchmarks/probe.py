"""Sweeps within a probe's bounds against the same sweeps within wide bounds: `python -m tests.benchmarks.probe`.

For each model and seed three sweeps run, one trial at a time in this process, with the policy and the training of real
ones: within the shipped bounds, within bounds that know nothing (learning rates of 1e-6 to 1, batch sizes of 8 to 512),
and within the probe's, which begins with the probe's points. Printed are the epochs of all trials together until the
probed sweep has reached what a wide one ended with, as a part of all epochs of the wide one, and of its epochs until it
was there itself; medians over the seeds. The last digit of an accuracy on a few hundred examples is luck, of which more
epochs have more: `within a standard error` counts what is as good as that. MNIST comes from $TUNER_DATA_DIR or Keras's
download.

    python -m tests.benchmarks.probe [--seeds 3] [--only digits mlp-digits] [--trials 32]
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import tuner
from trainables import registry
from tuner.policy import STOP, Policy
from tuner.spec import SweepSpec, load_spec, spec_from_mapping

KNOWING_NOTHING = {
    "learning_rate": {"low": 1e-6, "high": 1.0, "scale": "log"},
    "batch_size": {"choices": [8, 16, 32, 64, 128, 256, 512]},
}
IMAGES = 4_000
"""MNIST images of the mlp, and of mnist-dense."""
MODELS = ("digits", "mlp-digits", "mlp-mnist", "mnist-dense", "mlp-deep-digits")


@dataclass(frozen=True)
class Run:
    """A sweep: the best value so far after each epoch, of all trials in turn."""

    best: tuple[float, ...]
    sign: float

    @property
    def epochs(self) -> int:
        return len(self.best)

    def until(self, value: float) -> float:
        """The epochs until the best value is at least this good; infinite if it never is."""
        reached = (number for number, best in enumerate(self.best, 1) if self.sign * best <= self.sign * value)
        return next(reached, math.inf)


def spec_of(model: str, folder: Path) -> SweepSpec:
    """The shipped default sweep of a model; of MNIST on a part of it."""
    name = {"digits": "digits", "mnist-dense": "mnist-dense"}.get(model, "mlp")
    spec = load_spec(registry.default_sweep(name)).resolved()
    if model == "mnist-dense":
        spec["space"]["train_size"] = IMAGES
    if model == "mlp-mnist":
        spec["data"] = str(_some_of_mnist(folder))
        spec["epochs"] = {"min": 1, "max": 27}
    if model == "mlp-deep-digits":
        spec["space"] |= {"depth": 3, "optimizer": "sgd"}
    return spec_from_mapping(spec)


def _some_of_mnist(folder: Path) -> Path:
    from trainables.data import mnist

    path = folder / "mnist.npz"
    if not path.exists():
        found = mnist()
        (x, y), (xv, yv) = found.train, found.validation
        np.savez(path, x_train=x[:IMAGES], y_train=y[:IMAGES], x_val=xv[:2000], y_val=yv[:2000])
    return path


def run(spec: SweepSpec, trainer: Any, seed: int, points: Sequence[Mapping[str, Any]] = ()) -> Run:
    """Runs a sweep, one trial after another."""
    policy = Policy(spec.model_copy(update={"search": spec.search.model_copy(update={"seed": seed})}).search_settings)
    policy.begin_with([dict(point) for point in points])
    metric, sign = spec.objective.metric, -1.0 if spec.objective.mode == "max" else 1.0
    best, found = sign * math.inf, []
    while suggestion := policy.ask():
        trainer.start({**suggestion.params, "epochs": suggestion.epochs}, seed=1000 * seed + suggestion.trial)
        for epoch in range(1, suggestion.epochs + 1):
            metrics = trainer.train_epoch().metrics
            value = metrics[metric] if math.isfinite(metrics["loss"]) else math.nan
            best = value if sign * value < sign * best else best
            found.append(best)
            decision = policy.tell(suggestion.trial, epoch, value)
            if decision.action == STOP:
                assert decision.outcome is not None
                policy.close(suggestion.trial, decision.outcome)
                break
    return Run(tuple(found), sign)


def points_of(spec: SweepSpec, suggested: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The probe's points as a sweep takes them."""
    return [{name: value for name, value in point.items() if name in spec.space.searched} for point in suggested]


def compare(model: str, seeds: int, num_trials: int | None, folder: Path) -> None:
    """Prints the lines of one model."""
    from trainables.training import Trainer

    shipped = spec_of(model, folder)
    if num_trials is not None:
        shipped = shipped.model_copy(update={"num_trials": num_trials})
    probe = tuner.probe(shipped, storage=str(folder), progress=False)
    suggested = spec_from_mapping(probe.spec)
    unknowing = spec_from_mapping({**shipped.resolved(), "space": {**shipped.resolved()["space"], **KNOWING_NOTHING}})
    trainable = registry.load(shipped.trainable)(shipped.data)
    trainer = Trainer(trainable, trainable.load_data(), shipped.objective.metric, shipped.objective.mode)
    space = {name: probe.spec["space"][name] for name in ("learning_rate", "batch_size")}
    print(f"{model}: probed in {sum(probe.result.seconds.values()):.0f} s: {space}, epochs {probe.spec['epochs']}")
    wide: dict[str, list[Run]] = {"shipped": [], "knowing nothing": []}
    narrow = []
    for seed in range(seeds):
        wide["shipped"].append(run(shipped, trainer, seed))
        wide["knowing nothing"].append(run(unknowing, trainer, seed))
        narrow.append(run(suggested, trainer, seed, points_of(suggested, probe.suggestions.points)))
    num_shown = len(trainable.load_data().validation[0])
    for name, runs in wide.items():
        told(name, runs, narrow, num_shown)


def told(name: str, wide: Sequence[Run], narrow: Sequence[Run], num_shown: int) -> None:
    """Prints how the probed sweeps compare with wide ones, whose accuracy is of so many examples."""
    ends = [median(one.best[-1] for one in runs) for runs in (wide, narrow)]
    epochs = [median(one.epochs for one in runs) for runs in (wide, narrow)]
    print(
        f"  {name}: ends at {ends[0]:.4f} after {epochs[0]:.0f} epochs; probed at {ends[1]:.4f} after {epochs[1]:.0f}"
    )
    for what, errors in (("exactly", 0.0), ("within a standard error", 1.0)):
        goals = [one.best[-1] - errors * math.sqrt(one.best[-1] * (1 - one.best[-1]) / num_shown) for one in wide]
        pairs = [(n.until(goal), w.until(goal), w.epochs) for n, w, goal in zip(narrow, wide, goals, strict=True)]
        reached = sum(math.isfinite(until) for until, _, _ in pairs)
        print(
            f"    {what:23} reached by {reached} of {len(pairs)}, after {median(pair[0] for pair in pairs):.0f} epochs:"
            f" {median(n / every for n, _, every in pairs):.2f} of all of the wide one,"
            f" {median(n / first for n, first, _ in pairs):.2f} of those until it was there",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        for one in asked.only:
            compare(one, asked.seeds, asked.trials, Path(made))
