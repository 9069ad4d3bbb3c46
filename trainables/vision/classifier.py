"""What `image` and `finetune-image` share: images by class, their labels, and augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from trainables import data as data_sets
from trainables.contract import Data, DataError, Trainable, TrainingParams
from trainables.vision import images

_LOSSES = {"integer": "sparse_categorical_crossentropy", "one_hot": "categorical_crossentropy"}


class ImageParams(TrainingParams):
    """Parameters of every classifier of images."""

    image_size: int = Field(0, ge=0)
    """Height and width, in pixels, that the images of a folder are resized to; 0 for the base's, or as they are. A
    constant."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the features left out before the last layer, in training."""
    flip: float = Field(0.0, ge=0, le=1)
    """Share of the training images that are mirrored, left to right."""
    rotation: float = Field(0.0, ge=0, le=0.5)
    """Training images are turned by up to this share of a full turn, either way."""
    zoom: float = Field(0.0, ge=0, lt=1)
    """Training images are enlarged or reduced by up to this share."""
    contrast: float = Field(0.0, ge=0, le=1)
    """The contrast of training images changes by up to this share."""


class ImageClassifier(Trainable):
    """A trainable whose data are images by class; a subclass has a `build_model` and its own `Params`."""

    metrics = ("accuracy",)
    Params: ClassVar[type[ImageParams]] = ImageParams
    constants: ClassVar[tuple[str, ...]] = ("image_size",)
    name: ClassVar[str]
    """As a spec names it."""

    def __init__(self, data: str | None = None) -> None:
        super().__init__(data)
        if data is None:
            raise DataError(f"{self.name} must be given data: {images.HOW}, but got none")
        labels = data_sets.Labels("integer", 0) if images.is_folder(data) else data_sets.labels(data)
        if labels.kind not in _LOSSES:
            raise DataError(f"{data}: y must hold classes, whole numbers or one-hot rows, but got floats")
        self.num_classes = labels.size
        self.loss = _LOSSES[labels.kind]  # type: ignore[misc]  # by label kind, so the instance's own
        self.form: images.Form | None = None

    def load_data(self) -> Data:
        assert self.data is not None
        image_size, channels = self.wanted_form()
        if image_size is not None and not images.is_folder(self.data) and self.fixed("image_size"):
            raise DataError(f"{self.data}: image_size has no effect on arrays: leave it out")
        found, self.form = images.read(self.data, image_size, channels)
        self.num_classes = len(found.class_names) or self.num_classes
        return found

    def fixed(self, name: str) -> Any:
        """The value of a parameter that is the same in every trial."""
        return self.fixed_params.get(name, self.Params.model_fields[name].default)

    def wanted_form(self) -> tuple[int | None, int]:
        """The size and the channels that the images of a folder are to have."""
        return self.fixed("image_size") or None, 3

    def augmentation(self, params: Any) -> Mapping[str, float]:
        return {name: getattr(params, name) for name in ("flip", "rotation", "zoom", "contrast")}

    def augment(self, inputs: Any, strengths: Mapping[str, Any], seed: Any) -> Any:
        from trainables.vision.augmenting import augmented

        assert self.form is not None
        return augmented(inputs, strengths, seed, self.form.value_range)

    def scaled(self, inputs: Any, value_range: tuple[float, float]) -> Any:
        """Inputs of a model, from the data's values to those of a range."""
        import keras

        assert self.form is not None
        (low, high), (least, largest) = self.form.value_range, value_range
        if (low, high) == (least, largest):
            return inputs
        factor = (largest - least) / (high - low)
        return keras.layers.Rescaling(factor, offset=least - low * factor)(inputs)

    def classes(self, features: Any, params: Any) -> Any:
        """The probability of each class, of features."""
        import keras

        features = keras.layers.Dropout(params.dropout)(features)
        return keras.layers.Dense(self.num_classes, activation="softmax", dtype="float32", name="head")(features)
