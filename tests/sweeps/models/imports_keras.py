"""A user's file as most are: Keras is imported at its top."""

import keras
import tiny


class WithKeras(tiny.Tiny):
    metrics = (keras.metrics.MeanAbsoluteError(name="mae"),)
