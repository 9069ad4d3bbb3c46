"""Structured data with preprocessing layers, adapted on the training set; few are positive, so classes have weights."""

import keras
import numpy as np
import pandas as pd
from keras import layers

from trainables import Data, Trainable, TrainingParams


class Structured(Trainable):
    loss = "binary_crossentropy"
    metrics = [keras.metrics.AUC(name="auc"), "accuracy"]

    class Params(TrainingParams):
        units: int = 8

    def load_data(self):
        table = pd.read_csv("patients.csv")
        target = table.pop("target").to_numpy("float32")
        train, validation = slice(0, 160), slice(160, 220)
        self.normalizer = layers.Normalization()
        self.normalizer.adapt(table[["age", "pressure"]].to_numpy("float32")[train])
        self.lookup = layers.StringLookup(output_mode="one_hot")
        self.lookup.adapt(table["kind"].to_numpy(str)[train])
        self.class_weights = {0: 1.0, 1: float((1 - target[train].mean()) / target[train].mean())}

        def part(rows):
            numbers = table[["age", "pressure"]].to_numpy("float32")[rows]
            kinds = np.array(self.lookup(table["kind"].to_numpy(str)[rows]), "float32")
            return {"numbers": numbers, "kind": kinds}, target[rows]

        return Data(train=part(train), validation=part(validation))

    def class_weight(self, params):
        return self.class_weights

    def build_model(self, params):
        numbers = keras.Input((2,), name="numbers")
        kind = keras.Input((self.lookup.vocabulary_size(),), name="kind")
        scaled = self.normalizer(numbers)
        x = layers.Dense(params.units, activation="relu")(layers.concatenate([scaled, kind]))
        return keras.Model({"numbers": numbers, "kind": kind}, layers.Dense(1, activation="sigmoid")(x))
