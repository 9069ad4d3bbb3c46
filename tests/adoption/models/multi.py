"""Several inputs and outputs, losses with weights, metrics by output."""

import keras
import numpy as np
from keras import layers

from trainables import Data, Trainable, TrainingParams


def tickets(count, seed):
    rng = np.random.default_rng(seed)
    title, tags = rng.integers(0, 20, (count, 5)), rng.integers(0, 2, (count, 4)).astype("float32")
    priority = ((title < 5).sum(axis=1, keepdims=True) / 5).astype("float32")
    department = (tags.sum(axis=1) % 3).astype("int32")
    return {"title": title, "tags": tags}, {"priority": priority, "department": department}


class Tickets(Trainable):
    class Params(TrainingParams):
        units: int = 8
        priority_weight: float = 1.0

    def load_data(self):
        return Data(train=tickets(160, 1), validation=tickets(60, 2))

    def build_model(self, params):
        title = keras.Input((5,), dtype="int32", name="title")
        tags = keras.Input((4,), name="tags")
        words = layers.GlobalAveragePooling1D()(layers.Embedding(20, 8)(title))
        x = layers.Dense(params.units, activation="relu")(layers.concatenate([words, tags]))
        priority = layers.Dense(1, activation="sigmoid", name="priority")(x)
        department = layers.Dense(3, name="department")(x)
        model = keras.Model(inputs=[title, tags], outputs={"priority": priority, "department": department})
        model.compile(
            optimizer=keras.optimizers.Adam(params.learning_rate),
            loss={
                "priority": keras.losses.BinaryCrossentropy(),
                "department": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            },
            loss_weights={"priority": params.priority_weight, "department": 0.5},
            metrics={"department": ["accuracy"], "priority": ["mae"]},
        )
        return model
