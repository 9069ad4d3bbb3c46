"""Built-in data and users' own; every malformed file is one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import data
from trainables.contract import DataError
from trainables.mlp import Mlp

X, Y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 3


def write(folder: Path, **arrays: Any) -> str:
    path = folder / "own.npz"
    np.savez(path, **arrays)
    return str(path)


def test_digits_are_split_without_overlap_and_scaled() -> None:
    digits = data.load("digits")
    parts = [digits.train, digits.validation, digits.test]
    assert [len(x) for x, _ in parts] == [len(y) for _, y in parts] == [1_200, 297, 300]
    assert all(x.dtype == np.float32 and x.min() == 0 and x.max() == 1 for x, _ in parts)
    again = data.load("digits")
    assert (again.train[0] == digits.train[0]).all()
    assert all(set(y) == set(range(10)) for _, y in parts)


def test_mnist_validates_on_the_last_5000(mnist_folder: Path) -> None:
    with np.load(mnist_folder / "mnist.npz") as arrays:
        y_train = arrays["y_train"]
    mnist = data.load("mnist")
    assert [len(part[0]) for part in (mnist.train, mnist.validation, mnist.test)] == [55_000, 5_000, 10_000]
    assert (mnist.train[1] == y_train[:55_000]).all() and (mnist.validation[1] == y_train[55_000:]).all()
    assert mnist.train[0].dtype == np.float32 and mnist.train[0].max() == 1


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        (
            ((100, 28, 28), (100,), (10, 28, 28), (10,)),
            r"x_train must hold at least 5001 images .* got the shapes \(100,",
        ),
        (((6000, 784), (6000,), (10, 784), (10,)), r"shapes \(6000, 784\) and \(6000,\)"),
        (((6000, 28, 28), (6000, 1), (10, 28, 28), (10,)), r"\(6000, 28, 28\) and \(6000, 1\)"),
        (((6000, 28, 28), (6000,), (10, 28, 28), (9,)), r"x_test must hold at least 1 image .* and \(9,\)"),
    ],
)
def test_an_mnist_of_another_form_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes: tuple[tuple[int, ...], ...], told: str
) -> None:
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(tmp_path / "mnist.npz", **{n: np.zeros(shape, np.uint8) for n, shape in zip(names, shapes, strict=True)})
    monkeypatch.setenv("TUNER_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=told):
        data.load("mnist")


def test_mnist_missing_from_the_named_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match="must exist, as TUNER_DATA_DIR names its folder"):
        data.load("mnist")


def test_mnist_from_kerass_own_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets").mkdir()
    images, classes = np.full((5_010, 28, 28), 255, np.uint8), np.zeros(5_010, np.uint8)
    np.savez(tmp_path / "datasets" / "mnist.npz", x_train=images, y_train=classes, x_test=images, y_test=classes)
    monkeypatch.delenv("TUNER_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert len(data.load("mnist").train[0]) == 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_failed_download_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    def fail() -> None:
        print("Downloading data from https://…")
        raise Exception("URL fetch failure on https://…: None -- no network\nand more")

    monkeypatch.delenv("TUNER_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(DataError, match=r"download failed \(URL fetch .* no network\).*set TUNER_DATA_DIR") as error:
        data.load("mnist")
    assert "\n" not in str(error.value)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Downloading data from https://…\n")  # a command's data stand alone


def test_without_x_val_a_tenth_validates(tmp_path: Path) -> None:
    own = data.load(write(tmp_path, x_train=X, y_train=Y))
    assert len(own.train[0]) == 18 and len(own.validation[0]) == 2 and own.test is None
    rows = np.concatenate([own.train[0], own.validation[0]])
    assert sorted(rows[:, 0]) == X[:, 0].tolist() and rows[:, 0].tolist() != X[:, 0].tolist()
    assert (own.train[1] == own.train[0][:, 0] // 2 % 3).all()


def test_all_parts_are_taken_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, x_train=X, y_train=Y, x_val=X[:3], y_val=Y[:3], x_test=X[:4], y_test=Y[:4])
    own = data.load(path)
    assert (own.train[0] == X).all() and len(own.validation[0]) == 3 and own.test is not None and len(own.test[1]) == 4


@pytest.mark.parametrize(
    ("y", "kind", "size"),
    [
        (Y, "integer", 3),
        (Y.astype(np.uint8)[:, None], "integer", 3),
        (np.eye(3)[Y], "one_hot", 3),
        (np.eye(3, dtype=int)[Y], "one_hot", 3),
        (Y + 0.5, "target", 1),
        (X, "target", 2),
    ],
)
def test_the_kind_of_labels(tmp_path: Path, y: Any, kind: str, size: int) -> None:
    assert data.labels(write(tmp_path, x_train=X, y_train=y)) == data.Labels(kind, size)  # type: ignore[arg-type]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"x_train": X}, "must hold y_train, but got x_train"),
    ({"x_trian": X, "y_train": Y}, "must hold x_train, but got x_trian, y_train; did you mean x_train by x_trian?"),
    ({"x_train": X, "y_train": Y, "x_valid": X}, "must hold no other arrays, but got x_valid; did you mean x_val?"),
    ({"x_train": X, "y_train": Y, "x_test": X}, "must hold y_test"),
    ({"x_train": X, "y_train": Y[:5]}, "x_train and y_train must have one length, but got 20 and 5"),
    ({"x_train": np.where(X == 4, np.nan, X), "y_train": Y}, "x_train must hold finite numbers, but got NaN"),
    ({"x_train": X.astype(object), "y_train": Y}, "x_train must be an array of numbers, but got objects"),
    ({"x_train": X.astype(str), "y_train": Y}, "x_train must be an array of numbers, but got the type <U"),
    ({"x_train": X[:0], "y_train": Y[:0]}, "must hold at least one example"),
    ({"x_train": X[:1], "y_train": Y[:1]}, "x_train must hold at least 2 examples where there is no x_val"),
    ({"x_train": X, "y_train": Y - 1}, "y_train must hold classes from 0, but got -1"),
    (
        {"x_train": X, "y_train": Y + 2**40},
        "y must hold classes 0, 1, 2 and so on, or floats as a regression target, but",
    ),
    ({"x_train": X, "y_train": Y.astype("u8") + np.uint64(2**63)}, "but got class 9223372036854775"),
    (
        {"x_train": X.astype(float) * 1e300, "y_train": Y},
        "x_train must hold numbers that float32 can hold, up to 3.4e38, but got ",
    ),
    ({"x_train": X, "y_train": Y * -1e39}, "y_train must hold numbers that float32 can hold"),
    ({"x_train": X, "y_train": np.stack([Y, Y], 1)}, "must hold an integer class, a one-hot row or a float target"),
    (
        {"x_train": X, "y_train": Y, "x_val": X[:, :1], "y_val": Y},
        "x_val must have examples of shape (2,), but got (1,)",
    ),
]


@pytest.mark.parametrize(("arrays", "message"), WRONG, ids=[message[:30] for _, message in WRONG])
def test_malformed_arrays_are_named(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = write(tmp_path, **arrays)
    with pytest.raises(DataError) as error:
        data.load(path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, x_train=X, y_train=Y)
    with pytest.raises(DataError, match=r"no such file; did you mean own.npz\?"):
        data.load(path.replace("own", "ovn"))
    with pytest.raises(DataError, match=r"did you mean digits\?"):
        data.load("digit")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PK\x03\x04 cut"])
def test_what_is_no_npz_file_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        data.load(str(path))
    rule = f"{path}: must be an .npz file as numpy.savez writes it, but is none, or was cut"
    assert str(error.value) == f"{rule}; a trainable of your own reads it with Data.from_csv"


def test_a_single_array_is_said_to_be_one(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", X)
    with pytest.raises(DataError, match=r"but is a single array, of numpy\.save$"):
        data.load(str(tmp_path / "own.npy"))


def test_a_damaged_array(tmp_path: Path) -> None:
    path = Path(write(tmp_path, x_train=X, y_train=Y))
    damaged = bytearray(path.read_bytes())
    damaged[200] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"must be an .npz file as numpy\.savez writes it, but is damaged: Bad CRC"):
        data.load(str(path))


def test_a_folder_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.npz").mkdir()
    for folder in ("./", "./own.npz"):
        with pytest.raises(DataError) as error:
            data.load(folder)
        rule = f"{folder}: must be one of digits, mnist or an .npz file, but is a folder"
        assert (
            str(error.value) == f"{rule}; a trainable of your own reads it with Data.from_image_folder or its siblings"
        )


def test_mlp_needs_data() -> None:
    with pytest.raises(DataError, match=r"^mlp must be given data, one of digits, mnist or"):
        Mlp()


def test_the_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    found = data.digits()
    images, classes = load_digits(return_X_y=True)
    parts = (found.train, found.validation, found.test)
    assert sum(len(y) for _, y in parts) == len(classes)
    rows = np.concatenate([np.column_stack((x * 16, y)) for x, y in parts])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, np.column_stack((images, classes)).astype(np.float32)))
