"""`speech`: a small convolutional network on the mel spectrograms of WAV files, a folder of them for each class.

`data` is such a folder, or `tones`, a made set of four kinds of beeps.

Measured: `tuner run speech` (16 trials, 79 epochs, tones) takes 36 s on 2 cores and ends with a test accuracy of 0.975:
learning_rate 0.00022, batch_size 16, frame_ms 16, mel_bins 32, filters 16, dropout 0.4, no noise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from trainables.contract import Data, DataError, Trainable
from trainables.contract import Params as TrainingParams
from trainables.exceptions import Infeasible
from trainables.reading.audio import lengths

if TYPE_CHECKING:
    import keras

SECONDS_MAX = 10.0
"""Longer clips are cut to this unless `seconds` says otherwise."""
_LEAST_POWER = 1e-6
"""What is weaker is silence: 80 dB and more below a voice."""
_TONES = ("falling", "high", "low", "rising")
_TONES_RATE, _TONES_SAMPLES, _TONES_COUNT = 8_000, 4_000, 600


class Speech(Trainable):
    """A small convolutional network on mel spectrograms of sounds: words, voices, noises.

    The spectrogram is part of the model, so its parameters can be searched, and the exported model takes samples.
    """

    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)
    constants = ("seconds",)

    class Params(TrainingParams):
        epochs: int = Field(30, ge=1)
        frame_ms: float = Field(25.0, gt=0)
        """Length of a frame of the spectrogram, in milliseconds."""
        step_ms: float = Field(10.0, gt=0)
        """From the start of one frame to the next, in milliseconds."""
        mel_bins: int = Field(40, ge=1)
        """Bands of the spectrogram."""
        filters: int = Field(16, ge=1)
        """Of the first convolution; each further one has twice as many."""
        blocks: int = Field(3, ge=1)
        """Convolutions, each followed by a pooling."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Share of the last layer's inputs left out in training."""
        noise: float = Field(0.0, ge=0)
        """Noise added in training, as a share of a clip's own loudness (RMS)."""
        shift: float = Field(0.0, ge=0, lt=1)
        """By up to which share of its length a clip is moved in time in training."""
        seconds: float | None = Field(None, gt=0)
        """Length of a clip: longer files are cut, shorter ones padded with silence. By default that of the longest
        file, up to 10. A constant."""

    def __init__(self, data: str | None = None) -> None:
        super().__init__(data)
        if data is None:
            raise DataError("speech must be given data, a folder with a folder of WAV files for each class or tones")
        self._rate = self._num_classes = 0
        self._shape: tuple[int, int] = (0, 0)
        """Samples and channels of a clip."""

    def load_data(self) -> Data:
        data = tones() if self.data == "tones" else self._of_folder()
        first = data.train[0] if isinstance(data.train, tuple) else data.train.element_spec[0]
        self._rate, self._num_classes = data.sampling_rate, len(data.class_names)
        self._shape = tuple(map(int, first.shape[-2:]))  # type: ignore[assignment]
        return data

    def _of_folder(self) -> Data:
        fixed = self.Params.model_validate({"seconds": self.fixed_params.get("seconds")})
        found = lengths(self.data)
        longest, seconds = max(found.samples, default=1), fixed.seconds or SECONDS_MAX
        whole = max(1, round(seconds * found.rate)) if fixed.seconds else min(longest, round(seconds * found.rate))
        data = Data.from_audio_folder(self.data, sequence_length=max(1, whole))
        num_cut = sum(samples > whole for samples in found.samples)
        if not num_cut or fixed.seconds:
            return data
        cut = f"{self.data}: {num_cut} files are cut to {SECONDS_MAX:g} s, which space.seconds changes"
        return replace(data, notes=(*data.notes, cut))

    def build_model(self, params: Any) -> keras.Model:
        import keras

        samples, channels = self._shape
        frame, step = self._samples(params.frame_ms), self._samples(params.step_ms)
        fft = 2 ** int(np.ceil(np.log2(frame)))
        self._check(params, fft, samples)
        inputs = keras.Input((samples, channels))
        sound = keras.layers.Reshape((samples,))(inputs) if channels == 1 else keras.ops.mean(inputs, axis=-1)
        options: Any = {"center": False, "scale": False, "epsilon": 1e-6, "dtype": "float32"}
        sound = keras.layers.LayerNormalization(**options)(sound)  # one loudness
        if params.noise:
            sound = keras.layers.GaussianNoise(params.noise)(sound)
        # What is weakest is cut by its power alone: `top_db` would compare it with the loudest clip of the batch.
        found = keras.layers.MelSpectrogram(
            fft_length=fft, sequence_length=frame, sequence_stride=step, sampling_rate=self._rate,
            num_mel_bins=params.mel_bins, min_power=_LEAST_POWER, top_db=1e6, dtype="float32",
        )(sound)  # fmt: skip
        found = keras.layers.LayerNormalization(axis=(1, 2), **options)(found)
        found = keras.layers.Reshape((*found.shape[1:], 1))(found)
        if params.shift:
            found = keras.layers.RandomTranslation(0.0, params.shift, fill_mode="nearest", interpolation="nearest")(
                found
            )
        for block in range(params.blocks):
            found = keras.layers.Conv2D(params.filters * 2**block, 3, padding="same", use_bias=False)(found)
            found = keras.layers.GroupNormalization(groups=1)(found)
            found = keras.layers.Activation("relu")(found)
            found = keras.layers.MaxPooling2D(padding="same")(found)
        found = keras.layers.Permute((2, 1, 3))(found)  # time first, as all bands of a moment belong together
        found = keras.layers.Reshape((found.shape[1], found.shape[2] * found.shape[3]))(found)
        found = keras.layers.Dropout(params.dropout)(keras.layers.GlobalAveragePooling1D()(found))
        return keras.Model(inputs, keras.layers.Dense(self._num_classes, activation="softmax", dtype="float32")(found))

    def _samples(self, milliseconds: float) -> int:
        return max(1, round(self._rate * milliseconds / 1000))

    def _check(self, params: Any, fft: int, samples: int) -> None:
        if params.mel_bins > fft // 2:
            known = f"{params.frame_ms:g} ms at {self._rate} samples a second"
            raise Infeasible(f"mel_bins must not be above {fft // 2} for frames of {known}, but is {params.mel_bins}")
        if fft > samples:
            longest = f"the clips, {1000 * samples / self._rate:g} ms, with its length as a power of 2 in samples"
            raise Infeasible(f"frame_ms must not be above {longest}, but is {params.frame_ms:g}")


def tones() -> Data:
    """Made beeps of half a second: high, low, rising or falling, each of its own pitch, loudness, start and noise."""
    random = np.random.default_rng(0)
    at = np.arange(_TONES_SAMPLES) / _TONES_RATE
    x = np.empty((_TONES_COUNT, _TONES_SAMPLES, 1), np.float32)
    y = np.arange(_TONES_COUNT) % len(_TONES)
    pitches = {"falling": (900, 450), "high": (900, 900), "low": (450, 450), "rising": (450, 900)}
    for index, label in enumerate(y):
        first, last = np.array(pitches[_TONES[label]]) * random.uniform(0.75, 1.3)
        length, start = random.uniform(0.2, 0.4), random.uniform(0, 0.1)
        progress = np.clip((at - start) / length, 0, 1)
        phase = 2 * np.pi * np.cumsum(first + (last - first) * progress) / _TONES_RATE
        sounds = (at >= start) & (at < start + length)
        x[index, :, 0] = random.uniform(0.1, 0.5) * np.sin(phase) * sounds + random.normal(0, 0.2, len(at))
    x = np.clip(x, -1, 1)
    data = Data.from_arrays(x, y, validation=0.2, test=0.2, class_names=_TONES)
    return replace(data, sampling_rate=_TONES_RATE, description={**data.description, "source": "tones"})
