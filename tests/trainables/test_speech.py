"""`speech`: words of voices that it has not heard, the same twice, clips of any length, mistakes in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.contract import DataError
from trainables.exceptions import Infeasible
from trainables.learned import load_and_learn, teach
from trainables.speech import Speech, tones

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning")]

WORDS = ("go", "no", "stop", "yes")
VOICES = {"train": ("m1", "m2", "m3", "m4", "f1", "f2", "f3"), "validation": ("m5", "m7", "f4")}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def spoken(folder: Path) -> Path:
    """Words by several voices at several speeds; the voices of validation are not those of training."""
    if shutil.which("espeak-ng") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs espeak-ng")
    for part, voices in VOICES.items():
        for word in WORDS:
            (folder / part / word).mkdir(parents=True)
            for voice, speed in ((voice, speed) for voice in voices for speed in (130, 160, 190)):
                file = folder / part / word / f"{voice}-{speed}.wav"
                command = ["espeak-ng", "-v", f"en+{voice}", "-s", str(speed), "-w", str(file), word]
                subprocess.run(command, check=True, capture_output=True)
    return folder


def wav(path: Path, samples: int, rate: int = 8_000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(samples).integers(-9_000, 9_000, samples * channels)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.astype("<i2").tobytes())


def trained(data: str, epochs: int, **params: Any) -> tuple[Any, list[Any]]:
    """A new trial; its trainable has what another process learned, as a worker's has."""
    from trainables.training import WarmTrainer

    trainable = Speech(data)
    read, learned = load_and_learn(Speech(data))
    teach(trainable, learned, read)
    trainer = WarmTrainer(trainable, read, "val_accuracy", "max")
    trainer.start(params, 1)
    return trainer, [{**trainer.train_epoch().metrics, "epoch_s": 0} for _ in range(epochs)]


@pytest.mark.slow(12)
def test_words_are_told_apart_by_new_voices_and_a_trial_is_the_same_twice(tmp_path: Path) -> None:
    import keras

    folder = str(spoken(tmp_path / "words"))
    params = {"learning_rate": 0.003, "batch_size": 16, "noise": 0.1, "shift": 0.1}
    trainer, epochs = trained(folder, 12, **params)
    assert max(epoch["val_accuracy"] for epoch in epochs) > 0.6  # of 0.25 by chance
    assert trained(folder, 4, **params)[1] == epochs[:4]
    trainer.best_model().save(tmp_path / "words.keras")
    exported = keras.saving.load_model(tmp_path / "words.keras")
    x, y = trainer._data.validation
    predicted = exported.predict(x, verbose=0)
    assert (predicted.argmax(axis=1) == y).mean() == pytest.approx(trainer.best_value)
    # A clip's spectrogram depends on nothing but the clip, whatever its loudness.
    assert np.allclose(exported.predict(x[:1] * 0.5, verbose=0), predicted[:1], atol=1e-2)
    assert np.allclose(exported.predict(x[:1], verbose=0), predicted[:1], atol=1e-5)


@pytest.mark.slow(4)
def test_several_channels_and_no_augmentation(tmp_path: Path) -> None:
    for index in range(24):
        wav(tmp_path / "noise" / ("a" if index % 2 else "b") / f"{index}.wav", 1_000 + index, channels=2)
    trainer, epochs = trained(str(tmp_path / "noise"), 1, batch_size=8, mel_bins=20, blocks=1, frame_ms=20)
    assert trainer._data.train[0].shape[1:] == (1_023, 2) and np.isfinite(epochs[0]["val_loss"])


def test_clips_have_the_length_of_the_longest_or_what_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    for index in range(12):
        wav(folder / ("a" if index % 2 else "b") / f"{index}.wav", 1_000 + 100 * index)
    assert Speech(str(folder)).load_data().train[0].shape[1:] == (2_100, 1)
    trainable = Speech(str(folder))
    trainable.fixed_params = {"seconds": 0.25}
    data = trainable.load_data()
    assert data.train[0].shape[1:] == (2_000, 1) and not data.notes
    wav(folder / "a" / "long.wav", 81_000)
    data = Speech(str(folder)).load_data()
    assert data.train[0].shape[1:] == (80_000, 1)
    assert data.notes == (f"{folder}: 1 files are cut to 10 s, which space.seconds changes",)


def test_tones_are_the_same_everywhere_and_say_so() -> None:
    data, again = tones(), tones()
    assert data.train[0].shape == (360, 4_000, 1) and data.class_names == ("falling", "high", "low", "rising")
    assert (data.train[0] == again.train[0]).all() and data.description["source"] == "tones"


@pytest.mark.slow(3)
@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"mel_bins": 200}, "mel_bins must not be above 128 for frames of 25 ms at 8000 samples a second, but is 200"),
        ({"frame_ms": 900.0}, "frame_ms must not be above the clips, 500 ms, .*but is 900"),
    ],
)
def test_what_cannot_be_is_infeasible(params: dict[str, Any], told: str) -> None:
    trainable = Speech("tones")
    trainable.load_data()
    with pytest.raises(Infeasible, match=told):
        trainable.build_model(trainable.Params(**params))


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="must be given data, a folder with a folder of WAV files for each class or tones"
    ):
        Speech(None)
    for index in range(12):
        wav(tmp_path / "rates" / ("a" if index % 2 else "b") / f"{index}.wav", 1_000, 8_000 if index != 5 else 16_000)
        wav(tmp_path / "one" / "a" / f"{index}.wav", 1_000)
    shutil.copytree(tmp_path / "rates", tmp_path / "damaged")
    wav(tmp_path / "damaged" / "a" / "5.wav", 1_000)
    (tmp_path / "damaged" / "b" / "4.wav").write_bytes(b"RIFF")
    for folder, told in (
        ("rates", r"a/5.wav: must have the sampling rate of the others, 8000, but has 16000"),
        ("one", "must hold a folder of WAV files for each class, at least two, but holds one alone: a"),
        ("damaged", r"b/4.wav: must be a WAV file of PCM samples, but is damaged or another"),
        ("none", "must be a folder, but there is none"),
    ):
        with pytest.raises(DataError, match=told) as raised:
            Speech(str(tmp_path / folder)).load_data()
        assert "\n" not in str(raised.value)
