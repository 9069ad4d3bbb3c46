"""A trial's callbacks through one `fit` an epoch: the training begins once and ends once, whatever is between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras.src.utils.python_utils import pythonify_logs

from trainables.training.fit.callback_state import CallbackState


class TrialCallbacks(keras.callbacks.CallbackList):  # type: ignore[misc]
    """What `fit` calls in every epoch's call; it passes `on_train_begin` on once, and `on_train_end` at `finish`.

    Args:
        callbacks: new ones.
        model: the trial's.
        epochs: of the whole training, which callbacks see in their `params`.
        steps: batches an epoch; None where it is not known.
        after_step: called after each step, before they are told of it.

    Attributes:
        logs: the newest epoch's, as the last callback saw them.
        batches: of the newest epoch.
        stopped_by: the class of the callback that has set `model.stop_training`.
    """

    def __init__(
        self, callbacks: list[Any], model: Any, epochs: int, steps: int | None, after_step: Callable[[], None]
    ) -> None:
        self._after_step = after_step if callbacks else _nothing
        super().__init__(callbacks, add_history=True, model=model, epochs=epochs, steps=steps, verbose=0)
        self._async_train = self._async_test = self._async_predict = False  # in order, and never behind a checkpoint
        self._kept = CallbackState.empty()
        self._restored: CallbackState | None = None
        self._has_begun = self._has_ended = False
        self.logs: dict[str, Any] = {}
        self.batches = 0
        self.stopped_by = ""
        self._end_logs: Any = None

    def restore(self, state: CallbackState | None) -> None:
        """Lets them go on, once their training has begun, from what they held when a checkpoint was made."""
        self._restored = state

    def state(self) -> CallbackState:
        """What they hold; before the first epoch, what they will go on from."""
        if not self._has_begun:
            return self._restored or CallbackState.empty()
        return self._kept.of(self.callbacks)

    def on_train_begin(self, logs: Any = None) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        super().on_train_begin(logs)
        self._kept.begin(self.callbacks)
        if self._restored is not None:
            self._kept.restore(self.callbacks, self._restored)
            self._restored = None

    def on_train_end(self, logs: Any = None) -> None:
        self._end_logs = logs

    def finish(self) -> None:
        """Tells the callbacks that the training has ended; once."""
        if self._has_begun and not self._has_ended:
            self._has_ended = True
            super().on_train_end(self._end_logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches = 0
        self._each("on_epoch_begin", epoch, pythonify_logs(logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.logs = pythonify_logs(logs)
        self._each("on_epoch_end", epoch, self.logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._after_step()
        self.batches = batch + 1
        self._each("on_train_batch_end", batch, pythonify_logs(logs))

    def _each(self, event: str, number: int, logs: Any) -> None:
        """Tells each of an event, and notes which of them ended the training."""
        for callback in self.callbacks:
            was_stopped = self.model.stop_training
            getattr(callback, event)(number, logs)
            if self.model.stop_training and not was_stopped:
                self.stopped_by = type(callback).__name__


def _nothing() -> None:
    """Where no callback can change the rate."""
