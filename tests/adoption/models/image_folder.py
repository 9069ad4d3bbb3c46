"""Images from a folder a class beside the spec, decoded and augmented in the pipeline."""

import keras
import tensorflow as tf
from keras import layers

from trainables import Data, Trainable, TrainingParams


class ImageFolder(Trainable):
    loss = "sparse_categorical_crossentropy"
    metrics = ["accuracy"]

    class Params(TrainingParams):
        filters: int = 4

    def load_data(self):
        def part(subset):
            return keras.utils.image_dataset_from_directory(
                "images", validation_split=0.25, subset=subset, seed=1, image_size=(10, 10), batch_size=None
            )

        train = part("training")
        self.class_names = train.class_names
        train = train.map(lambda image, label: (tf.image.random_flip_left_right(image), label))
        return Data(train=train, validation=part("validation"))

    def build_model(self, params):
        model = keras.Sequential([keras.Input((10, 10, 3)), layers.Rescaling(1 / 255)])
        model.add(layers.Conv2D(params.filters, 3, activation="relu"))
        model.add(layers.GlobalAveragePooling2D())
        model.add(layers.Dense(len(self.class_names), activation="softmax"))
        return model
