"""The data that trainables share: scikit-learn's digits, MNIST, and a user's own `.npz` file, here or in a bucket."""

from __future__ import annotations

import difflib
import gzip
import importlib.util
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from trainables import remote
from trainables.built_in import BUILT_IN
from trainables.contract import Data, DataError
from trainables.framework_imports import import_tensorflow_quietly
from trainables.room import NoRoomError, check_directory, check_room
from trainables.stored import ObjectsError

Array = np.ndarray[Any, Any]
LabelKind = Literal["integer", "one_hot", "target"]

_MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")
_NPZ_KEYS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
_READERS = {".csv": "from_csv", ".parquet": "from_parquet", ".tfrecord": "from_tfrecord"}
_SHUFFLE_SEED = 0
_DIGITS_TRAIN, _DIGITS_VALIDATION = 1_200, 297
_MNIST_VALIDATION = 5_000
_VALIDATION_FRACTION = 0.1
_CLASSES_OF_FEW = 1_000
"""So many classes may be more than there are examples; else a class's number is meant as something else."""


@dataclass(frozen=True)
class Labels:
    """What y is: integer classes, one-hot classes, or a regression target; `size` is what a model must put out."""

    kind: LabelKind
    size: int


def load(name_or_path: str) -> Data:
    """A built-in data set by its name, or a user's `.npz` file by its path or its s3:// or gs:// URL.

    Raises:
        DataError: it does not exist or has the wrong form.
    """
    if name_or_path == "digits":
        return digits()
    if name_or_path == "mnist":
        return mnist()
    with _file(name_or_path) as path:
        return npz(path)


def labels(name_or_path: str) -> Labels:
    """What the labels of a data set are, without its inputs being read.

    Raises:
        DataError: as `load`, as far as the labels tell.
    """
    if name_or_path in BUILT_IN:
        return Labels("integer", 10)
    with _file(name_or_path) as path:
        arrays = read_npz(path, _NPZ_KEYS, required=("y_train",), wanted=("y_train", "y_val", "y_test"))
        return _labels(path, arrays)


@contextmanager
def _file(path_or_url: str) -> Iterator[Path]:
    """The file of this machine that holds the data; what is wrong with it is said of what the user wrote."""
    path = remote.local_copy(path_or_url) if remote.is_url(path_or_url) else Path(os.path.expanduser(path_or_url))
    try:
        yield path
    except DataError as error:
        raise DataError(f"{path_or_url}: {str(error).removeprefix(f'{path}: ')}") from error


def digits() -> Data:
    """scikit-learn's UCI digits: 1,200 training, 297 validation and 300 test images of 8 x 8 pixels, scaled to 0..1."""
    table = _digits_table()
    images, classes = table[:, :-1], table[:, -1]
    order = np.random.default_rng(_SHUFFLE_SEED).permutation(len(images))
    x, y = (images[order] / 16.0).astype(np.float32), classes[order].astype(np.int32)
    first, second = _DIGITS_TRAIN, _DIGITS_TRAIN + _DIGITS_VALIDATION
    return Data((x[:first], y[:first]), (x[first:second], y[first:second]), (x[second:], y[second:]))


def _digits_table() -> np.ndarray[Any, Any]:
    """64 pixels and a class a row, (1797, 65): from the file in scikit-learn's package, whose import takes seconds."""
    package = importlib.util.find_spec("sklearn")
    folders = package.submodule_search_locations if package else None
    path = Path(folders[0]) / "datasets" / "data" / "digits.csv.gz" if folders else None
    if path is not None and path.is_file():
        with gzip.open(path, "rt") as file:
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    return np.column_stack(load_digits(return_X_y=True))


def mnist() -> Data:
    """MNIST: 55,000 training images, the last 5,000 of the 60,000 for validation, 10,000 for the test; 28 x 28, 0..1.

    Read from `mnist.npz` in $TUNER_DATA_DIR, else from Keras's own download.

    Raises:
        DataError: it is in neither place and cannot be downloaded.
    """
    arrays = _mnist_arrays()
    _check_mnist(arrays)
    x, y = _scaled(arrays["x_train"]), arrays["y_train"].astype(np.int32)
    test = _scaled(arrays["x_test"]), arrays["y_test"].astype(np.int32)
    last = len(x) - _MNIST_VALIDATION
    return Data((x[:last], y[:last]), (x[last:], y[last:]), test)


def npz(path: Path) -> Data:
    """A user's arrays: x_train, y_train and, optionally, x_val, y_val, x_test, y_test.

    Without x_val, the last tenth of the training examples validates, after a shuffle with a fixed seed. y holds integer
    classes, one-hot classes, or a regression target of floats.

    Raises:
        DataError: the file or one of its arrays has the wrong form.
    """
    arrays = read_npz(path, _NPZ_KEYS, required=("x_train", "y_train"))
    _check_arrays(path, arrays)
    _labels(path, arrays)
    train = arrays["x_train"], arrays["y_train"]
    test = (arrays["x_test"], arrays["y_test"]) if "x_test" in arrays else None
    if "x_val" in arrays:
        return Data(train, (arrays["x_val"], arrays["y_val"]), test)
    num_examples = len(train[0])
    num_validation = max(1, round(num_examples * _VALIDATION_FRACTION))
    if num_examples < 2:
        raise DataError(
            f"{path}: x_train must hold at least 2 examples where there is no x_val, but got {num_examples}"
        )
    order = np.random.default_rng(_SHUFFLE_SEED).permutation(num_examples)
    x, y = (rows[order] for rows in train)
    last = num_examples - num_validation
    return Data((x[:last], y[:last]), (x[last:], y[last:]), test)


def _mnist_arrays() -> dict[str, Array]:
    folder = os.environ.get("TUNER_DATA_DIR")
    if folder:
        return read_npz(Path(folder) / "mnist.npz", _MNIST_KEYS, required=_MNIST_KEYS)
    downloaded = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets" / "mnist.npz"
    if downloaded.is_file():
        return read_npz(downloaded, _MNIST_KEYS, required=_MNIST_KEYS)
    try:
        import_tensorflow_quietly()
        import keras

        with redirect_stdout(sys.stderr):  # Keras tells of its progress there, beside a command's data
            (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"mnist: must be downloaded or lie in a folder, but the download failed ({reason}): put mnist.npz "
            f"(x_train, y_train, x_test, y_test) into a folder and set TUNER_DATA_DIR to it"
        ) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _check_mnist(arrays: dict[str, Array]) -> None:
    """A file of another form that is called so would fail every trial."""
    for part, least in (("train", _MNIST_VALIDATION + 1), ("test", 1)):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.shape[1:] != (28, 28) or y.shape != x.shape[:1] or len(x) < least:
            images = f"{least} image{'s' if least > 1 else ''} of 28 x 28 pixels"
            rule = f"mnist: x_{part} must hold at least {images}, and y_{part} a class for each"
            raise DataError(f"{rule}, but got the shapes {x.shape} and {y.shape}")


def _scaled(images: Array) -> Array:
    return np.asarray(images, np.float32) / np.float32(255.0)


def read_npz(
    path: Path, known: tuple[str, ...], required: tuple[str, ...], wanted: tuple[str, ...] | None = None
) -> dict[str, Array]:
    """The arrays of a file; never unpickles."""
    if not path.is_file():
        raise DataError(_missing_file(path))
    rule = f"{path}: must be an .npz file as numpy.savez writes it"
    try:
        if not zipfile.is_zipfile(path):
            raise DataError(f"{rule}, but is {_what_else(path)}")
        with open(path, "rb") as raw:
            check_directory(raw)
            with np.load(raw, allow_pickle=False) as file:
                _check_keys(path, file.files, known, required)
                names = [name for name in wanted or known if name in file.files]
                check_room(file.zip, names)
                return {name: _read_array(path, file, name) for name in names}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ObjectsError as error:
        raise DataError(f"{path}: {error}") from error
    except NoRoomError as error:
        raise DataError(f"{path}: {error}; use fewer or smaller examples, or a machine with more") from error
    except (EOFError, NotImplementedError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{rule}, but is damaged: {error}") from error


def _what_else(path: Path) -> str:
    """What a file is that is no .npz file."""
    with open(path, "rb") as file:
        start = file.read(6)
    return "a single array, of numpy.save" if start == b"\x93NUMPY" else f"none, or was cut{_way_to_read(path)}"


def _way_to_read(path: Path) -> str:
    reader = "from_image_folder or its siblings" if path.is_dir() else _READERS.get(path.suffix.lower())
    return f"; a trainable of your own reads it with Data.{reader}" if reader else ""


def _missing_file(path: Path) -> str:
    if path.name == "mnist.npz" and os.environ.get("TUNER_DATA_DIR"):
        return f"{path}: must exist, as TUNER_DATA_DIR names its folder, but there is no such file"
    rule = f"{path}: must be one of {', '.join(BUILT_IN)} or an .npz file"
    if path.exists():
        return f"{rule}, but is {f'a folder{_way_to_read(path)}' if path.is_dir() else 'a pipe or a device'}"
    near = difflib.get_close_matches(str(path), BUILT_IN, n=1)
    if not near and path.parent.is_dir():
        near = difflib.get_close_matches(path.name, sorted(file.name for file in path.parent.glob("*.npz")), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{rule}, but there is no such file{hint}"


def _check_keys(path: Path, names: list[str], known: tuple[str, ...], required: tuple[str, ...]) -> None:
    pairs = [(f"x_{part}", f"y_{part}") for part in ("train", "val", "test")]
    needed = [*required, *(other for x, y in pairs for name, other in ((x, y), (y, x)) if name in names)]
    for name in needed:
        if name not in names:
            near = difflib.get_close_matches(name, [other for other in names if other not in known], n=1)
            hint = f"; did you mean {name} by {near[0]}?" if near else ""
            raise DataError(f"{path}: must hold {name}, but got {_listed(names)}{hint}")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it may hold {', '.join(known)}"
            raise DataError(f"{path}: must hold no other arrays, but got {name[:100]}{hint}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{', '.join(name[:100] for name in names[:10]) or 'nothing'}{more}"


def _read_array(path: Path, file: Any, name: str) -> Array:
    try:
        array: Array = file[name]
    except ValueError as error:
        raise DataError(f"{path}: {name} must be an array of numbers, but got objects or a damaged array") from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path}: {name} must be an array of numbers, but got the type {array.dtype}")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{path}: {name} must hold at least one example, but got the shape {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{path}: {name} must hold finite numbers, but got NaN or infinity")
    largest = max(array.max(), -array.min()) if array.dtype.kind == "f" else 0
    if largest > np.finfo(np.float32).max:
        raise DataError(f"{path}: {name} must hold numbers that float32 can hold, up to 3.4e38, but got {largest:.4g}")
    return array


def _check_arrays(path: Path, arrays: dict[str, Array]) -> None:
    for part in ("train", "val", "test"):
        x, y = arrays.get(f"x_{part}"), arrays.get(f"y_{part}")
        if x is None or y is None:
            continue
        if len(x) != len(y):
            raise DataError(f"{path}: x_{part} and y_{part} must have one length, but got {len(x)} and {len(y)}")
        for letter, rows in (("x", x), ("y", y)):
            shape = arrays[f"{letter}_train"].shape[1:]
            if rows.shape[1:] != shape:
                raise DataError(
                    f"{path}: {letter}_{part} must have examples of shape {shape}, but got {rows.shape[1:]}"
                )


def _labels(path: Path, arrays: dict[str, Array]) -> Labels:
    """What y is; all parts must agree."""
    parts = {name: rows for name, rows in arrays.items() if name.startswith("y_")}
    train = arrays["y_train"]
    if all(_is_one_hot(rows) for rows in parts.values()):
        return Labels("one_hot", train.shape[1])
    if train.dtype.kind == "f":
        if train.ndim > 2:
            raise DataError(f"{path}: y_train must have one or two axes as a regression target, but got {train.shape}")
        return Labels("target", 1 if train.ndim == 1 else train.shape[1])
    for name, rows in parts.items():
        if rows.dtype.kind not in "biu" or rows.size != len(rows):
            raise DataError(
                f"{path}: {name} must hold an integer class, a one-hot row or a float target for each example, "
                f"but got {rows.dtype} of shape {rows.shape}"
            )
        if rows.min() < 0:
            raise DataError(f"{path}: {name} must hold classes from 0, but got {rows.min()}")
    highest = int(max(rows.max() for rows in parts.values()))
    num_examples = sum(len(rows) for rows in parts.values())
    if highest >= max(num_examples, _CLASSES_OF_FEW):
        raise DataError(
            f"{path}: y must hold classes 0, 1, 2 and so on, or floats as a regression target, but got class {highest} "
            f"with {num_examples} examples in all"
        )
    return Labels("integer", highest + 1)


def _is_one_hot(rows: Array) -> bool:
    if rows.ndim != 2 or rows.shape[1] < 2:
        return False
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())
