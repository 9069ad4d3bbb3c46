"""`finetune-image`: a classifier of images on a base that was trained before.

Measured by `python -m tests.benchmarks.finetuning` on 200 labelled digits, with the base `small`, which was trained on
Fashion-MNIST; 20 epochs, validation accuracy of the best one, mean and standard deviation of five seeds:

- in two phases: 0.842 ± 0.060; with a layer_decay of 0.7: 0.869 ± 0.047
- the same recipe by hand in plain Keras: 0.783 ± 0.059
- the same model with new weights, at the better of two rates: 0.684 ± 0.116

With 100 labels: 0.563 ± 0.034, 0.576 ± 0.051, 0.531 ± 0.120 and 0.442 ± 0.117.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from trainables.contract import Data, ParamError
from trainables.phases import Phase
from trainables.vision import applications, bases, unfreezing
from trainables.vision.classifier import ImageClassifier, ImageParams

if TYPE_CHECKING:
    import keras

_BASE = "base"
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)
_RANGES = {"0 to 1": (0.0, 1.0), "-1 to 1": (-1.0, 1.0), "0 to 255": (0.0, 255.0)}


class FinetuneImage(ImageClassifier):
    """A head on a pretrained base: first the head alone, then the base's upper layers with it, at rates of their own.

    Batch normalization and dropout of the base stay in inference mode throughout.
    """

    name = "finetune-image"
    constants = ("base", "weights", "image_size", "input_range")
    file_params = ("base", "weights")

    class Params(ImageParams):
        base: str = bases.SMALL
        """What is fine-tuned: a .keras file, a model of keras.applications (MobileNetV2), a preset of KerasHub, or
        small. A constant."""
        weights: str | None = "imagenet"
        """Of a model of keras.applications: imagenet, none, or a file. A constant."""
        input_range: str = "auto"
        """The values of the pixels that a .keras file was trained with: 0 to 1, -1 to 1 or 0 to 255; auto: 0 to 255
        where it scales them itself, else 0 to 1. A constant."""
        head_epochs: int = Field(2, ge=0)
        """Epochs in which the head is trained alone."""
        unfreeze_from: str | int | float = 1.0
        """From where on the base learns after them: the name of a layer; the share of its layers with weights, counted
        from the top (up to 1: all); or their number, from 2 on. 0: never."""
        base_learning_rate: float = Field(1e-4, gt=0)
        """The rate of the base's uppermost layer; learning_rate is the head's."""
        layer_decay: float = Field(1.0, gt=0, le=1)
        """Each layer of the base learns at this share of the rate of the one above it."""
        head_factor: float = Field(1.0, gt=0)
        """Factor on the head's rate once the base learns."""

        @field_validator("unfreeze_from")
        @classmethod
        def _check_unfreeze_from(cls, value: str | int | float) -> str | int | float:
            unfreezing.check(value)
            return value

        @field_validator("input_range")
        @classmethod
        def _check_input_range(cls, value: str) -> str:
            if value not in ("auto", *_RANGES):
                raise ValueError(f"must be one of auto, {', '.join(_RANGES)}, but got {value}")
            return value

    def load_data(self) -> Data:
        self.base = bases.find(self.fixed("base"), self.fixed("weights"))
        if self.fixed_params.get("weights") is not None and self.base.name not in applications.PREPROCESSING:
            raise ParamError("weights", f"has no effect, as {self.base.name} has its own; leave it out")
        found = bases.loaded(self.base, None) if self._is_needed_first() else None
        self.own_side, self.own_channels = (found.side, found.channels) if found else (None, 3)
        data = super().load_data()
        files = {param: {"sha256": digest} for param, digest in self.base.sha256.items()}
        notes = (*data.notes, *self._notes(found))
        description = {**data.description, **({"files": files} if files else {})}
        return Data(**{**vars(data), "notes": notes, "description": description})

    def _is_needed_first(self) -> bool:
        """Whether the base says what size and channels its images have."""
        return self.base.name == bases.SMALL or "base" in self.base.sha256

    def _notes(self, found: bases.Loaded | None) -> list[str]:
        if found is None or not found.left_out:
            return []
        return [f"space.base: its last layers told its own classes apart and are left out: {', '.join(found.left_out)}"]

    def wanted_form(self) -> tuple[int | None, int]:
        side = self.own_side
        if side is None and self.base.name in applications.PREPROCESSING:
            side = applications.side(self.base.name)
        return self.fixed("image_size") or side, self.own_channels

    def model_key(self, params: Any) -> str:
        return json.dumps([self.base.key, params.dropout, self.num_classes, str(self.form), params.input_range])

    def build_model(self, params: Any) -> keras.Model:
        import keras

        self._check_constants(params)
        assert self.form is not None
        side = self._side_of_base()
        base = bases.loaded(self.base, side)
        inputs = keras.Input(self.form.shape)
        x = _with_channels(inputs, self.form.shape[2], base.channels)
        needed = base.side or side
        if needed is not None and self.form.shape[:2] != (needed, needed):
            x = keras.layers.Resizing(needed, needed)(x)
        x = self._preprocessed(x, base.preprocessing, params.input_range)
        features = base.build(_BASE)(x, training=False)
        if len(features.shape) == 4:
            features = keras.layers.GlobalAveragePooling2D()(features)
        elif len(features.shape) == 3:
            features = keras.layers.GlobalAveragePooling1D()(features)
        return keras.Model(inputs, self.classes(features, params))

    def _check_constants(self, params: Any) -> None:
        for name, value in (("base", self.base.name), ("weights", self.fixed("weights"))):
            if getattr(params, name) != value:
                raise ParamError(
                    name, f"must be one constant in all trials, but got {getattr(params, name)} and {value}"
                )

    def _side_of_base(self) -> int | None:
        """The size that a model of `keras.applications` is built for."""
        if self.base.name not in applications.PREPROCESSING:
            return None
        assert self.form is not None
        return max(applications.least_side(self.base.name), *self.form.shape[:2])

    def _preprocessed(self, x: Any, kind: str, input_range: str) -> Any:
        """The images as the base was trained with."""
        import keras

        if kind == "file" or input_range != "auto":
            return self.scaled(x, _RANGES[input_range if input_range != "auto" else "0 to 1"])
        if kind == "unit":
            return self.scaled(x, (-1.0, 1.0))
        if kind == "imagenet":
            x = self.scaled(x, (0.0, 1.0))
            offset = [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)]
            return keras.layers.Rescaling([1 / deviation for deviation in _DEVIATION], offset=offset)(x)
        x = self.scaled(x, (0.0, 255.0))
        if kind == "caffe":
            red, green, blue = keras.ops.split(x, 3, axis=-1)
            x = keras.layers.Concatenate()([blue, green, red])
            return keras.layers.Rescaling(1.0, offset=[-mean for mean in _CAFFE_MEAN])(x)
        return x

    def phases(self, params: Any, model: keras.Model) -> Sequence[Phase]:
        base = model.get_layer(_BASE)
        if not base.trainable_variables or not params.unfreeze_from:
            return [Phase(rates={base: 0.0})]
        try:
            rates = _rates(base, params)
        except ValueError as error:
            raise ParamError("unfreeze_from", str(error)) from None
        then = {base: 0.0, **rates, model.get_layer("head"): params.head_factor}
        return [Phase(params.head_epochs, {base: 0.0}), Phase(rates=then)]


def _with_channels(x: Any, channels: int, wanted: int) -> Any:
    """Grey images as three equal channels, or coloured ones as grey."""
    import keras

    if channels == wanted:
        return x
    return keras.layers.Concatenate()([x] * wanted) if channels == 1 else keras.ops.image.rgb_to_grayscale(x)


def _rates(base: Any, params: Any) -> dict[Any, float]:
    """The factor on the learning rate of each layer of the base that learns."""
    import keras

    layers = [layer for layer in base.layers if layer.trainable_variables]
    while len(layers) == 1 and getattr(layers[0], "layers", None):
        layers = [layer for layer in layers[0].layers if layer.trainable_variables]
    is_counted = [not isinstance(layer, keras.layers.BatchNormalization) for layer in layers]
    names = [layer.name for layer, counts in zip(layers, is_counted, strict=True) if counts]
    left = unfreezing.num_unfrozen(params.unfreeze_from, names)
    factor = params.base_learning_rate / params.learning_rate
    rates: dict[Any, float] = {}
    for layer, counts in zip(reversed(layers), reversed(is_counted), strict=True):
        if left == 0:
            break
        rates[layer] = factor  # a batch normalization's is that of the layer before it
        if counts:
            left, factor = left - 1, factor * params.layer_decay
    return rates
