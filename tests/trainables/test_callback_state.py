"""What callbacks hold, through the bytes of a checkpoint."""

from __future__ import annotations

import enum
import random
from collections import Counter, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Inner:
    def __init__(self) -> None:
        self.count = 0


def holder(**attributes: Any) -> Any:
    import keras

    callback = keras.callbacks.Callback()
    vars(callback).update(attributes)
    return callback


def through_bytes(make: Any, change: Any) -> tuple[Any, Any]:
    """A callback that was changed, and a new one that was given its state."""
    from trainables.training.fit.callback_state import CallbackState

    changed, again = make(), make()
    begun, restored = CallbackState.empty(), CallbackState.empty()
    begun.begin([changed])
    change(changed)
    kept = CallbackState.from_arrays(begun.of([changed]).to_arrays())
    assert kept is not None
    restored.begin([again])
    restored.restore([again], kept)
    return changed, again


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0, 3),
        (1.5, float("inf")),
        (None, "text"),
        ([], [1, [2.0, None], (3, "x")]),
        ({}, {1: "a", ("b", 2): [True]}),
        (set(), {1, 2}),
        (deque(maxlen=3), deque([1, 2], maxlen=3)),
        (defaultdict(list), defaultdict(list, {"a": [1]})),
        (Counter(), Counter("abb")),
        (b"", b"\xff\x00"),
        (Path("a"), Path("b/c")),
        (Colour.RED, Colour.BLUE),
        (None, np.float32(2.5)),
    ],
)
def test_values_come_back_as_they_were(before: Any, after: Any) -> None:
    import copy

    changed, again = through_bytes(
        lambda: holder(value=copy.deepcopy(before)), lambda callback: setattr(callback, "value", after)
    )
    assert again.value == changed.value and type(again.value) is type(changed.value)


def test_arrays_objects_and_generators_of_random_numbers_go_on() -> None:
    import keras

    def make() -> Any:
        return holder(
            inner=Inner(), weights=None, draws=random.Random(1), rng=np.random.default_rng(1),
            metric=keras.metrics.Mean(), function=make, big=np.zeros(1000),
        )  # fmt: skip

    def change(callback: Any) -> None:
        callback.inner.count, callback.weights = 3, [np.arange(3.0), np.ones((2, 2), "float32")]
        callback.draws.random(), callback.rng.random()
        callback.metric.update_state(4.0)

    changed, again = through_bytes(make, change)
    assert again.inner.count == 3 and all(map(np.array_equal, again.weights, changed.weights))
    assert again.draws.random() == changed.draws.random() and again.rng.random() == changed.rng.random()
    assert float(again.metric.result()) == 4.0


def test_own_methods_win_and_what_has_not_changed_is_not_kept() -> None:
    import keras

    from trainables.training.fit.callback_state import CallbackState

    class Own(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.lines = iter([])  # which nobody could keep

        def get_state(self) -> Any:
            return {"n": 3}

        def set_state(self, state: Any) -> None:
            self.n = state["n"]

    _, again = through_bytes(Own, lambda callback: None)
    assert again.n == 3
    state, still = CallbackState.empty(), holder(big=np.zeros(10**6))
    state.begin([still])
    assert not state.of([still]).arrays


def test_the_state_of_other_callbacks_is_refused() -> None:
    import keras

    from trainables.training.fit.callback_state import CallbackState, KeptStateError

    state = CallbackState.empty()
    state.begin([holder()])
    with pytest.raises(KeptStateError, match="of the callbacks Callback, but got EarlyStopping"):
        state.restore([keras.callbacks.EarlyStopping()], state.of([holder()]))


def test_an_object_that_a_new_callback_lacks_is_named() -> None:
    from trainables.training.fit.callback_state import KeptStateError

    with pytest.raises(KeptStateError, match=r"callback Callback holds inner \(Inner\)"):
        through_bytes(lambda: holder(inner=None), lambda callback: setattr(callback, "inner", Inner()))
