"""`image`: a small convolutional network for images by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from trainables.vision.classifier import ImageClassifier, ImageParams

if TYPE_CHECKING:
    import keras


class Image(ImageClassifier):
    """Blocks of convolution, batch normalization and pooling, each twice as wide as the one before."""

    name = "image"

    class Params(ImageParams):
        depth: int = Field(3, ge=1, le=8)
        """Number of blocks; each halves height and width."""
        width: int = Field(16, ge=1)
        """Channels of the first block."""

    def build_model(self, params: Any) -> keras.Model:
        import keras

        assert self.form is not None
        inputs = keras.Input(self.form.shape)
        x = self.scaled(inputs, (0.0, 1.0))
        for block in range(params.depth):
            x = keras.layers.Conv2D(params.width * 2**block, 3, padding="same", use_bias=False)(x)
            x = keras.layers.BatchNormalization()(x)
            x = keras.layers.Activation("relu")(x)
            x = keras.layers.MaxPooling2D(2, padding="same")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, self.classes(x, params))
