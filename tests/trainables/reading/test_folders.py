"""Folders of text and sound: classes, splits, and mistakes that name the file. Images: test_decoding."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import folders
from trainables import Data, DataError


def test_texts_are_the_files_of_their_classes(tmp_path: Path) -> None:
    data = Data.from_text_folder(folders.texts(tmp_path / "t", 40), test=0.1, class_weights="balanced")
    assert data.class_names == ("glad", "sad")
    assert data.description["class_counts"]["test"] == {"glad": 2, "sad": 2}
    glad = ("sun", "smile", "good", "song")
    assert all((text.split()[0] in glad) == (label == 0) for text, label in zip(*data.train[:2], strict=True))


def test_sounds_are_samples_from_minus_one_to_one(tmp_path: Path) -> None:
    data = Data.from_audio_folder(folders.sounds(tmp_path / "s", 20, width=2))
    x, y = data.train
    assert x.shape == (16, 100, 1) and x.dtype == np.float32 and -1 <= x.min() < -0.5 < 0.5 < x.max() < 1
    assert data.sampling_rate == 8000 and sorted(set(y)) == [0, 1]
    shorter = Data.from_audio_folder(tmp_path / "s", sequence_length=60)
    longer = Data.from_audio_folder(tmp_path / "s", sequence_length=130)
    assert (shorter.train[0] == x[:, :60]).all() and (longer.train[0][:, 100:] == 0).all()
    for width, step in ((1, 2 / 256), (3, 2 / 2**24), (4, 2 / 2**32)):
        wide = Data.from_audio_folder(folders.sounds(tmp_path / f"w{width}", 10, width=width)).train[0]
        assert -1 <= wide.min() < -0.5 < 0.5 < wide.max() <= 1 and np.abs(wide[wide != 0]).min() >= step / 2


def test_folders_of_parts_are_the_split(tmp_path: Path) -> None:
    for part, count, seed in (("train", 20, 0), ("val", 6, 1), ("test", 4, 2)):
        folders.texts(tmp_path / "t" / part, count, seed)
    data = Data.from_text_folder(tmp_path / "t")
    assert data.description["examples"] == {"train": 20, "validation": 6, "test": 4}
    with pytest.raises(DataError, match=r"validation=0.3 has no effect, as the data have validation examples"):
        Data.from_text_folder(tmp_path / "t", validation=0.3)
    shutil.rmtree(tmp_path / "t" / "val")
    assert Data.from_text_folder(tmp_path / "t").description["examples"] == {"train": 16, "validation": 4, "test": 4}
    own = Data.from_text_folder(tmp_path / "t" / "train", validation=tmp_path / "t" / "test")
    assert own.description["examples"] == {"train": 20, "validation": 4}


def told(folder: Path, **options: object) -> str:
    with pytest.raises(DataError) as found:
        Data.from_text_folder(folder, **options)  # type: ignore[arg-type]
    assert "\n" not in str(found.value)
    return str(found.value)


def test_mistakes_name_the_folder_or_the_file(tmp_path: Path) -> None:
    root = folders.texts(tmp_path / "t", 20)
    assert f"{tmp_path}/tt: must be a folder, but there is none; did you mean t?" in told(tmp_path / "tt")
    assert "holds 10 texts and no folders" in told(root / "sad")
    assert "must be a folder, but is a file" in told(root / "sad" / "00001.txt")
    (root / "note.md").touch()
    (root / "__MACOSX" / "sad").mkdir(parents=True)
    (root / "sad" / "note.md").touch()
    assert "left out are files that are no texts" in Data.from_text_folder(root).notes[0]
    (root / "sad" / "00001.txt").write_bytes(b"good \xff\xfe")
    assert f"{root}/sad/00001.txt: must be text in UTF-8, but byte 5 is none" in told(root)
    (root / "sad" / "00001.txt").write_bytes(b"")
    assert f"{root}/sad/00001.txt: must be one of the texts, but is empty" in told(root)
    (root / "sad" / "00001.txt").write_text("rain")
    (root / "odd.txt").write_text("rain")
    assert "for each class, but odd.txt lies beside them; move such files elsewhere" in told(root)
    (root / "odd.txt").unlink()
    (root / "rare").mkdir()
    assert f"{root}/rare: must hold texts (.txt), but has none" in told(root)
    (root / "rare" / "1.txt").write_text("rare")
    assert "at least 2 examples of class rare, one for each part, but holds 1" in told(root)
    shutil.rmtree(root / "rare")
    shutil.rmtree(root / "glad")
    assert "at least two, but holds one alone: sad" in told(root)


def test_a_class_that_one_part_alone_has_is_an_error(tmp_path: Path) -> None:
    folders.texts(tmp_path / "train", 20)
    folders.texts(tmp_path / "validation", 10, 1)
    (tmp_path / "validation" / "sad").rename(tmp_path / "validation" / "bored")
    assert "training must have each class of validation, but has no bored" in told(tmp_path)
    folders.texts(tmp_path / "train" / "x", 2)
    shutil.move(tmp_path / "train" / "x" / "sad", tmp_path / "train" / "bored")
    shutil.rmtree(tmp_path / "train" / "x")
    assert "validation must have each class of training, but has no sad" in told(tmp_path)
    assert "has no sad" in Data.from_text_folder(tmp_path, stratify=False).notes[0]


def test_options_without_effect_are_errors(tmp_path: Path) -> None:
    root = folders.texts(tmp_path / "t", 20)
    assert "max_tokens has no effect without sequence_length" in told(root, max_tokens=9)
    assert "sequence_length must be a whole number from 1 on, but got 0" in told(root, sequence_length=0)
    with pytest.raises(DataError, match="crop_to_aspect_ratio and interpolation have no effect without image_size"):
        Data.from_image_folder(root, crop_to_aspect_ratio=True)
    with pytest.raises(DataError, match=r"color_mode must be one of .* but got 'gray'"):
        Data.from_image_folder(root, color_mode="gray")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"RIFFjunk", "must be a WAV file of PCM samples, but is damaged or another"),
        (None, r"must hold the 100 samples that its header says, at least 1, but holds \d+"),
        ("rate", "must have the sampling rate of the others, 8000, but has 9000"),
        ("length", r"must have the 100 samples of the others, but has 90; sequence_length="),
    ],
)
def test_a_damaged_or_unlike_sound_is_named(tmp_path: Path, content: bytes | str | None, problem: str) -> None:
    root = folders.sounds(tmp_path / "s", 20)
    path = root / "quiet" / "00003.wav"
    if content == "rate":
        folders.sound(path, np.zeros(200), 9000)
    elif content == "length":
        folders.sound(path, np.zeros(180))
    else:
        path.write_bytes(path.read_bytes()[:-40] if content is None else bytes(str(content), "ascii"))
    with pytest.raises(DataError) as found:
        Data.from_audio_folder(root)
    assert re.match(f"{re.escape(str(path))}: {problem}", str(found.value))
