"""Which of the two training paths a trial takes, and one trainer in front of both.

Fast: an epoch is one TensorFlow graph, of an uncompiled model. Fit: `keras.Model.fit`, with everything that it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from trainables.contract import Data, Trainable, fit_reason, has_augment, has_phases
from trainables.epochs import EpochResult
from trainables.training.base import OfKeras
from trainables.training.checkpoint import Snapshot
from trainables.training.fit.data import is_for_fit
from trainables.training.fit.trainer import FitTrainer
from trainables.training.jit import Choice, JitCompile
from trainables.training.shared import Shared
from trainables.training.trainer import CompiledModelError, WarmTrainer

Path = Literal["fast", "fit"]


def training_path(trainable: Any, model: Any = None, data: Data | None = None) -> tuple[Path, str]:
    """The path of a trainable's trials and why, as far as the class, its data and a model of it tell."""
    kind: Any = trainable if isinstance(trainable, type) else type(trainable)
    if why := fit_reason(kind):
        return "fit", why
    if data is not None:
        for name in ("train", "validation"):
            if why := is_for_fit(getattr(data, name)):
                return "fit", f"its {'training' if name == 'train' else name} data are {why}"
    if model is not None and getattr(model, "compiled", False):
        return "fit", "build_model returns a compiled model"
    return "fast", "one graph an epoch: its model is not compiled, and nothing in it needs keras.Model.fit"


class Trainer(OfKeras):
    """Trains one trial after another, each on the path that it needs; the interface is `WarmTrainer`'s.

    Attributes:
        why: why trials take the path that they take.
    """

    def __init__(
        self,
        trainable: Trainable,
        data: Data,
        metric: str,
        mode: Literal["min", "max"],
        precision: str = "float32",
        devices: Sequence[str] = (),
        jit_compile: JitCompile = False,
        shared: Shared | None = None,
    ) -> None:
        self._arguments = (trainable, data, metric, mode, precision, devices, jit_compile, shared)
        self._jit_compile = jit_compile
        self._path, self.why = training_path(trainable, None, data)
        self._fast: WarmTrainer | None = None
        self._fit: FitTrainer | None = None
        self._current: WarmTrainer | FitTrainer | None = None
        self._folder: str | None = None
        self._number: int | str = 0
        self._notes: list[str] = []
        self.steps_max: int | None = None
        """Of an epoch through `fit`, for a first look; None for all."""
        self.parts_max: int | None = None
        """Of the next trials, the most examples of a batch that are trained at once; None for no limit."""

    def place(self, folder: str | None, trial: int | str) -> None:
        """Says where the files of the next trial's callbacks lie; without, in a temporary folder.

        Args:
            folder: of the trial's own, for relative paths; None for a temporary one.
            trial: its number, which keeps files apart that lie elsewhere.
        """
        self._folder, self._number = folder, trial

    def take_notes(self) -> list[str]:
        """Things worth a line for people, since the last call."""
        taken, self._notes[:] = list(self._notes), []
        return taken

    def start(
        self, params: dict[str, Any], seed: int, checkpoint: bytes | Callable[[int], bytes] | None = None
    ) -> None:
        """As `WarmTrainer.start`. The first compiled model moves this and all later trials to the fit path."""
        if self._path == "fast":
            try:
                self._current = self._of_fast()
                self._current.parts_max = self.parts_max
                self._current.start(params, seed, checkpoint)
                self._tell_choice(self._current.choice)
                return
            except CompiledModelError:
                self._path, self.why = "fit", "build_model returns a compiled model"
                self._fast = None
        fit = self._current = self._of_fit()
        fit.steps_max, fit.parts_max = self.steps_max, self.parts_max
        fit.folder, fit.trial, fit.notes = self._folder, self._number, self._notes
        fit.start(params, seed, checkpoint)

    def _tell_choice(self, choice: Choice | None) -> None:
        if choice is not None:
            self._notes.append(f"XLA {'compiles' if choice.jit else 'does not compile'} its steps: {choice.why}")

    def _of_fast(self) -> WarmTrainer:
        if self._fast is None:
            self._fast = WarmTrainer(*self._arguments)
            self._notes += self._fast.data_notes
        return self._fast

    def _of_fit(self) -> FitTrainer:
        self._check_recipe()
        self._fit = self._fit or FitTrainer(*self._arguments)
        return self._fit

    def _check_recipe(self) -> None:
        """Refuses what has no effect on the fit path.

        Raises:
            TypeError: the trainable has it.
        """
        for name, has in (("phases", has_phases), ("augment", has_augment)):
            if has(self._arguments[0]):
                where = f"where trials train through keras.Model.fit ({self.why})"
                raise TypeError(f"{name} has no effect {where}: leave out what needs fit, or {name}")

    def _running(self) -> WarmTrainer | FitTrainer:
        if self._current is None:
            raise RuntimeError("no trial is running: call start() first")
        return self._current

    @property
    def path(self) -> Path:
        """The path of the trial that was started last."""
        return self._path

    @property
    def traces(self) -> int:
        """How often an epoch's graph was traced on the fast path."""
        return self._fast.traces if self._fast is not None else 0

    @property
    def epoch(self) -> int:
        return self._running().epoch

    @property
    def best_epoch(self) -> int:
        return self._running().best_epoch

    @property
    def best_value(self) -> float:
        return self._running().best_value

    @property
    def stopped(self) -> str:
        """Why the trial ended itself (`model.stop_training`); empty while it goes on."""
        return self._fit.stopped if self._fit is not None and self._current is self._fit else ""

    @property
    def used(self) -> dict[str, float]:
        """`learning_rate`, `batch_size` and `epochs` as the trial really uses them, where that can be told."""
        return self._fit.used if self._fit is not None and self._current is self._fit else {}

    @property
    def jit_compile(self) -> bool | None:
        """Whether XLA compiles the trial's steps; None where that was no question, or `build_model` says it."""
        return None if self.compiles or self._jit_compile is False else self._running().jit

    @property
    def compiles(self) -> bool:
        """Whether `build_model` has compiled the trial's model."""
        return self._fit is not None and self._current is self._fit and self._fit.compiles

    @property
    def params_read(self) -> frozenset[str] | None:
        """The parameters that the trainable's code has read in this trial; None on the fast path, where training
        itself reads some."""
        return self._fit.params_read if self._fit is not None and self._current is self._fit else None

    @property
    def epoch_examples(self) -> int:  # type: ignore[override]
        """How many training examples an epoch of the trial has; 0 where that is not known."""
        return self._running().epoch_examples

    @property
    def at_once(self) -> int | None:
        """How many examples the running trial trains at once, as far as it is known."""
        return self._current.at_once if self._current is not None else None

    @property
    def graphs(self) -> list[Any]:
        """The traced epochs of the trial; none through `fit`."""
        return self._fast.graphs if self._fast is not None and self._current is self._fast else []

    @property
    def hides_state(self) -> bool:
        """Whether the graphs do not show all that a trial does."""
        return self._fast is None or self._current is not self._fast or self._fast.hides_state

    def end(self) -> None:
        """Ends the trial, and removes what its callbacks wrote to a temporary folder."""
        if self._fit is not None:
            self._fit.end()

    @property
    def trial(self) -> Any:
        """The running trial as its path keeps it, for what measures its steps."""
        return self._running()._running()

    @property
    def model(self) -> Any:
        """The trial's model."""
        return self._running().model

    def park(self) -> None:
        """Between two epochs: lets the trials of other folds use the trial's model, as far as they can."""
        if isinstance(self._current, WarmTrainer):
            self._current.park()

    def unpark(self) -> None:
        """Takes the model back; must come before anything that needs it."""
        if isinstance(self._current, WarmTrainer):
            self._current.unpark()

    def forget(self) -> None:
        """Lets go of a trial after an error."""
        if isinstance(self._current, WarmTrainer):
            self._current.forget()

    def keep_as_best(self, value: float) -> list[Any]:
        """Makes the newest epoch the best one, with this value; the values of the model's variables."""
        return self._running().keep_as_best(value)

    def train_epoch(self) -> EpochResult:
        """Trains and validates the trial's next epoch."""
        return self._running().train_epoch()

    def snapshot(self) -> Snapshot:
        """The trial as it stands."""
        return self._running().snapshot()

    def best_snapshot(self) -> Snapshot:
        """The best epoch's weights alone."""
        return self._running().best_snapshot()

    def test_metrics(self) -> dict[str, float]:
        """`test_loss` and `test_<metric>` of the best epoch's weights."""
        return self._running().test_metrics()

    def best_model(self) -> keras.Model:
        """A new model with the best epoch's weights."""
        return self._running().best_model()
