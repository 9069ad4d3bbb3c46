"""Distributed hyperparameter search for Keras, in Python.

    import tuner
    from trainables import Data, Trainable, TrainingParams

    class MyModel(Trainable): ...

    sweep = tuner.run(
        trainable=MyModel, name="first", num_trials=32, epochs=27,
        objective=tuner.maximize("val_accuracy"),
        space={"learning_rate": tuner.Float(1e-4, 1e-1, log=True), "units": tuner.Int(32, 256, step=32)})
    sweep.best.params
    sweep.trials()        # a pandas table, a row a trial
    sweep.best_model()    # a keras.Model

`run`, `resume` and `load` give a `Sweep`, which also follows a sweep that runs in another process. All errors are a
`TunerError`. The command line, `tuner`, does the same from YAML files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.api.functions import check, resume, run
    from tuner.api.looking import best_model, compare, load, sweeps
    from tuner.api.probing import probe
    from tuner.api.space import Choice, Float, Int, Objective, maximize, minimize
    from tuner.api.sweep import Best, Sweep
    from tuner.base.errors import (
        ForeignFileError,
        MisplacedError,
        NameTakenError,
        NoUsableTrialError,
        ServiceError,
        SpecError,
        StorageError,
        SweepHeldError,
        SweepInterrupted,
        TooLargeError,
        TrackingError,
        TunerError,
        UsageError,
    )
    from tuner.spec import SweepSpec

__all__ = [
    "Best",
    "Choice",
    "Float",
    "ForeignFileError",
    "Int",
    "MisplacedError",
    "NameTakenError",
    "NoUsableTrialError",
    "Objective",
    "ServiceError",
    "SpecError",
    "StorageError",
    "Sweep",
    "SweepHeldError",
    "SweepInterrupted",
    "SweepSpec",
    "TooLargeError",
    "TrackingError",
    "TunerError",
    "UsageError",
    "best_model",
    "check",
    "compare",
    "load",
    "maximize",
    "minimize",
    "probe",
    "resume",
    "run",
    "sweeps",
]

_PLACES = {
    "tuner.api.functions": ("check", "resume", "run"),
    "tuner.api.probing": ("probe",),
    "tuner.api.looking": ("best_model", "compare", "load", "sweeps"),
    "tuner.api.space": ("Choice", "Float", "Int", "Objective", "maximize", "minimize"),
    "tuner.api.sweep": ("Best", "Sweep"),
    "tuner.spec": ("SweepSpec",),
}
"""Where the names are; all others are errors."""

if not TYPE_CHECKING:
    import sys
    from types import ModuleType

    class _Package(ModuleType):
        """Keeps `tuner.probe` the function: an import of the room of that name would put the room in its place."""

        def __setattr__(self, name: str, value: Any) -> None:
            if name != "probe" or not isinstance(value, ModuleType):
                super().__setattr__(name, value)

    sys.modules[__name__].__class__ = _Package

    def __getattr__(name: str) -> Any:
        """Imports what a name needs once it is asked for: `import tuner` itself takes no time."""
        import importlib

        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = next((module for module, names in _PLACES.items() if name in names), "tuner.base.errors")
        value = globals()[name] = getattr(importlib.import_module(module), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
