"""Trainables whose data are a folder of files, as `Data` reads them."""

from __future__ import annotations

from typing import Any

import keras

from trainables import Data, Trainable, TrainingParams


class Images(Trainable):
    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)

    class Params(TrainingParams):
        units: int = 8

    def load_data(self) -> Data:
        data = Data.from_image_folder(self.data, validation=0.2, test=0.1, class_weights="balanced", seed=7)
        self.class_names = data.class_names
        return data

    def build_model(self, params: Any) -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Flatten(),
                keras.layers.Dense(params.units, activation="relu"),
                keras.layers.Dense(len(self.class_names), activation="softmax"),
            ]
        )


class StreamedImages(Images):
    def load_data(self) -> Data:
        self.class_names = ("dark", "light")
        return Data.from_image_folder(self.data, test=0.1, in_memory_bytes=1000, seed=7)


class Tables(Trainable):
    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)

    def load_data(self) -> Data:
        data = Data.from_csv(self.data, target="label", categorical=["color"])
        self.num_columns = len(data.feature_names)
        return data

    def build_model(self, params: Any) -> keras.Model:
        return keras.Sequential([keras.Input((self.num_columns,)), keras.layers.Dense(3, activation="softmax")])


class Texts(Trainable):
    loss = "binary_crossentropy"
    metrics = ("accuracy",)

    def load_data(self) -> Data:
        data = Data.from_text_folder(self.data, sequence_length=8, max_tokens=100)
        self.num_tokens = len(data.vocabulary)
        return data

    def build_model(self, params: Any) -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((8,), dtype="int32"),
                keras.layers.Embedding(self.num_tokens, 4),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )


class RawTexts(Texts):
    """The model looks the words up itself."""

    def load_data(self) -> Data:
        data = Data.from_text_folder(self.data)
        layer = keras.layers.TextVectorization(max_tokens=100, output_sequence_length=8)
        layer.adapt(data.train[0])
        self.words = layer.get_vocabulary()
        return data

    def build_model(self, params: Any) -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((), dtype="string"),
                keras.layers.TextVectorization(vocabulary=self.words[2:], output_sequence_length=8),
                keras.layers.Embedding(100, 4),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
