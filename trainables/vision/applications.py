"""The models of `keras.applications`: which there are, and what their images must be. Imports no Keras."""

from __future__ import annotations

from typing import Literal

Preprocessing = Literal["unit", "imagenet", "caffe", "none"]
"""unit: from -1 to 1; imagenet: with ImageNet's mean 0 and variance 1; caffe: BGR less ImageNet's mean; none: 0 to
255, which the model scales itself."""

_OF_NAMES: dict[Preprocessing, str] = {
    "caffe": "ResNet50 ResNet101 ResNet152 VGG16 VGG19",
    "unit": (
        "InceptionV3 InceptionResNetV2 MobileNet MobileNetV2 NASNetLarge NASNetMobile"
        " ResNet50V2 ResNet101V2 ResNet152V2 Xception"
    ),
    "imagenet": "DenseNet121 DenseNet169 DenseNet201",
    "none": (
        "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge"
        " EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 EfficientNetB4 EfficientNetB5 EfficientNetB6"
        " EfficientNetB7 EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 EfficientNetV2L"
        " EfficientNetV2M EfficientNetV2S MobileNetV3Large MobileNetV3Small"
    ),
}
PREPROCESSING: dict[str, Preprocessing] = {name: kind for kind, names in _OF_NAMES.items() for name in names.split()}
"""By the name of the model's function."""
_LEAST_SIDES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
_LEAST_SIDE = 32
_SIDES = {"InceptionV3": 299, "InceptionResNetV2": 299, "Xception": 299, "NASNetLarge": 331}
_SIDE = 224


def least_side(name: str) -> int:
    """The least height and width, in pixels, that a model takes."""
    return _LEAST_SIDES.get(name, _LEAST_SIDE)


def side(name: str) -> int:
    """The height and width that images of any size are resized to: those of most models' own training."""
    return _SIDES.get(name, _SIDE)
