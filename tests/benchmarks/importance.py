"""What importance costs and how far it can be trusted: `python -m tests.benchmarks.importance`.

Prints processor seconds beside Optuna's evaluators on the same trials, the distance from known shares, and how often
something is said of sweeps whose parameters change nothing.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.analysis.searches import MNIST, UNITS, mnist_error, searched
from tests.analysis.test_importance import additive, ishigami, product
from tuner.analysis.importance import weighed
from tuner.analysis.importance_values import Importance
from tuner.spec.space import Params
from tuner.sweep import Sweep

TEN = {f"x{index}": {"low": 0.0, "high": 1.0} for index in range(10)}
KNOWN = {
    "additive": (additive, [16 / 21, 4 / 21, 1 / 21, 0]),
    "ishigami": (ishigami, [0.436, 0.442, 0.122, 0]),
    "product": (product, [0.5, 0.5, 0, 0]),
}


def rising(params: Params) -> float:
    """The tenth of ten parameters matters most."""
    return float(sum((index + 1) * value for index, value in enumerate(params[name] for name in TEN)))  # type: ignore[operator]


def study(sweep: Sweep) -> Any:
    """The trials as Optuna has them."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = {name: _distribution(written) for name, written in sweep.spec["space"].items() if isinstance(written, dict)}
    made = optuna.create_study()
    for trial in sweep.trials.values():
        params = {name: value for name, value in trial.params.items() if name in kinds}
        used = {name: kinds[name] for name in params}
        made.add_trial(optuna.create_trial(params=params, distributions=used, value=trial.best_value))
    return made


def _distribution(written: dict[str, Any]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if "choices" in written:
        return CategoricalDistribution(written["choices"])
    kind = IntDistribution if isinstance(written["low"], int) else FloatDistribution
    return kind(written["low"], written["high"], log=written.get("scale") == "log")


def processor_s(work: Callable[[], Any]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def costs() -> None:
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    weighed(searched(UNITS, additive, 20))  # imports
    print("processor seconds       ours  fANOVA  PED-ANOVA")
    for name, sweep in (
        ("64 trials, 6 parameters", searched(MNIST, mnist_error, 64, noise=0.01)),
        ("2,000 trials, 10", searched(TEN, rising, 2000, noise=1.0)),
    ):
        theirs, always = (
            study(sweep),
            [n for n, it in sweep.spec["space"].items() if n not in ("decay_rate", "optimizer")],
        )
        seconds = [processor_s(lambda sweep=sweep: weighed(sweep))]  # type: ignore[misc]
        for make in (FanovaImportanceEvaluator, PedAnovaImportanceEvaluator):
            seconds.append(
                processor_s(lambda t=theirs, a=always, e=make: get_param_importances(t, evaluator=e(), params=a))  # type: ignore[misc]
            )
        print(f"{name:24}" + "  ".join(f"{s:6.2f}" for s in seconds))


def distances() -> None:
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    print("\nhalf the sum of the differences from known shares, mean of 5 seeds   ours  fANOVA")
    for name, (function, known) in KNOWN.items():
        for num in (64, 256):
            ours, theirs = [], []
            for seed in range(5):
                sweep = searched(UNITS, function, num, seed=seed)
                found = weighed(sweep)
                if isinstance(found, Importance):
                    ours.append(_distance([found.parameters[n].value for n in UNITS], known))
                    by_name = get_param_importances(study(sweep), evaluator=FanovaImportanceEvaluator(seed=0))
                    theirs.append(_distance([by_name[n] for n in UNITS], known))
            print(f"{name}, {num} trials ({len(ours)} of 5 told): {np.mean(ours):.2f}  {np.mean(theirs):.2f}")


def _distance(shares: list[float], known: list[float]) -> float:
    return float(np.abs(np.array(shares) - known).sum() / 2)


def silence(sweeps: int = 100) -> None:
    print(f"\nof {sweeps} sweeps, something is said of")
    for num in (14, 24, 64):
        told = {
            label: sum(
                isinstance(weighed(searched(MNIST, function, num, seed=seed, noise=noise)), Importance)
                for seed in range(sweeps)
            )
            for label, function, noise in (
                ("noise", lambda p: 0.0, 1.0),
                ("a rate that decides", mnist_error, 0.01),
                ("a rate that explains half", mnist_error, 0.05),
            )
        }
        print(f"  {num} trials: " + ", ".join(f"{label} {count}" for label, count in told.items()))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    costs()
    distances()
    silence()
