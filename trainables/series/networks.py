"""Networks from a window to what follows it, in the series' own units.

B windows, W times, C columns, H values ahead.
"""

from __future__ import annotations

from typing import Any

from trainables.series.scaling import Scaling


def network(params: Any, columns: int, scaling: Scaling, horizon: int) -> Any:
    """A model from (B, W, C) to (B, H): scaled within, so that it takes and gives values as they are."""
    import keras

    window = keras.Input((params.window, columns), name="window")
    scale = keras.layers.Rescaling(list(scaling.factors), list(scaling.offsets), name="scaled", dtype="float32")
    scaled = scale(window)
    x = keras.layers.Dropout(params.dropout)(_BODIES[params.cell](scaled, params))
    ahead = keras.layers.Dense(horizon, name="ahead", dtype="float32")(x)
    if params.from_last_value:
        ahead = keras.layers.Add(dtype="float32")([ahead, scaled[:, -1, scaling.target : scaling.target + 1]])
    values = keras.layers.Rescaling(scaling.deviation, scaling.mean, name="values", dtype="float32")(ahead)
    return keras.Model(window, values)


def _dense(x: Any, params: Any) -> Any:
    import keras

    x = keras.layers.Flatten()(x)
    for _ in range(params.layers):
        x = keras.layers.Dense(params.units, activation="relu")(x)
    return x


def _conv(x: Any, params: Any) -> Any:
    """Causal convolutions, each of twice the dilation of the one before (van den Oord et al. 2016)."""
    import keras

    for depth in range(params.layers):
        convolution = keras.layers.Conv1D(
            params.units, params.kernel_size, padding="causal", dilation_rate=2**depth, activation="relu"
        )
        x = convolution(x)
    return x[:, -1]


def _recurrent(x: Any, params: Any) -> Any:
    import keras

    cell = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[params.cell]
    for depth in range(params.layers):
        x = cell(params.units, return_sequences=depth < params.layers - 1)(x)
    return x


_BODIES = {"dense": _dense, "conv": _conv, "gru": _recurrent, "lstm": _recurrent}
