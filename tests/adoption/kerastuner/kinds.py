"""A kind of model and an optimizer to choose, each with hyperparameters of its own in conditional scopes."""

import keras
import keras_tuner as kt


class Kinds(kt.HyperModel):
    def build(self, hp):
        kind = hp.Choice("kind", ["linear", "mlp", "residual"])
        inputs = keras.Input((64,))
        x = inputs
        with hp.conditional_scope("kind", ["mlp", "residual"]):
            if kind != "linear":
                depth = hp.Int("depth", 1, 2)
                activation = hp.Choice("activation", ["relu", "gelu"])
        with hp.conditional_scope("kind", ["mlp"]):
            if kind == "mlp":
                for _ in range(depth):
                    x = keras.layers.Dense(hp.Int("units", 8, 32, step=8), activation=activation)(x)
        with hp.conditional_scope("kind", ["residual"]):
            if kind == "residual":
                x = keras.layers.Dense(hp.Int("width", 8, 64, sampling="log", step=2))(x)
                for _ in range(depth):
                    x = x + keras.layers.Dense(hp.get("width"), activation=activation)(x)
        outputs = keras.layers.Dense(10, activation="softmax")(x)
        rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=1e-2)
        name = hp.Choice("optimizer", ["adam", "sgd"])
        momentum = hp.Float("momentum", 0.0, 0.9, parent_name="optimizer", parent_values=["sgd"])
        optimizer = keras.optimizers.Adam(rate) if name == "adam" else keras.optimizers.SGD(rate, momentum or 0.0)
        model = keras.Model(inputs, outputs)
        model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model
