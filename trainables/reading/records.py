"""TFRecord files of `tf.train.Example`."""

from __future__ import annotations

import inspect
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.contract import Data, DataError
from trainables.reading import node_cache, places
from trainables.reading.building import of_rows
from trainables.reading.labels import Column, labels_of, nearest
from trainables.reading.planning import Wanted, check_flag, planned
from trainables.reading.rows import decoded
from trainables.reading.splitting import TEST, TRAIN, VALIDATION

Array = np.ndarray[Any, Any]

_BATCH_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Form:
    """What records hold and what becomes of them; see `Readers.from_tfrecord`."""

    target: str | None
    features: Any
    decode: Any
    classes: bool | None

    def __post_init__(self) -> None:
        check_flag("classes", self.classes)


@dataclass(frozen=True)
class _File:
    name: str
    path: str
    part: int

    @property
    def compression(self) -> str:
        return "GZIP" if self.path.endswith(".gz") else ""


def read(given: Any, form: Form, wanted: Wanted, in_memory_bytes: int) -> Data:
    """A `Data` of records; see `Readers.from_tfrecord`.

    Raises:
        DataError: a file is damaged, or its examples have other features, or differ in shape.
    """
    files = [_File(name, str(path), TRAIN) for name, path in places.files(given, (".tfrecord", ".tfrecords"))]
    for part in (VALIDATION, TEST):
        if (own := wanted.own(part)) is not None:
            files += [_File(name, str(path), part) for name, path in places.files(own, (".tfrecord", ".tfrecords"))]
    name = files[0].name if sum(file.part == TRAIN for file in files) == 1 else str(given)
    features = _features(files[0]) if form.features is None else dict(form.features)
    if form.target is not None and form.target not in features:
        raise DataError(
            f"{name}: must have a feature {form.target}, but has none{nearest(form.target, list(features))}"
        )
    facts: dict[str, Any] = {}
    stamps = [(places.stamp(Path(file.path)), file.part) for file in files]
    key = node_cache.key_of("records", form.target, repr(features), _source(form.decode), stamps)
    rows = decoded(key, lambda: _decoded(files, features, form, facts), facts=facts)
    if rows is None:
        raise DataError(
            f"{name}: the decoded examples are larger than this machine's disk may hold of them"
            f" ({node_cache.limit_bytes()} bytes by ${node_cache.LIMIT_VARIABLE}): allow more"
        )
    counts = rows.facts["counts"]
    labels = None
    if form.target is not None:
        y = np.asarray(rows.facts["y"], None if rows.facts["y_dtype"] == "text" else rows.facts["y_dtype"])
        column = Column(f"{name}: feature {form.target}", lambda row: f"record {row + 1}")
        labels = labels_of(y, column, form.classes)
    plan = planned(name, rows.count, labels, wanted, np.repeat(np.array([f.part for f in files], np.uint8), counts))
    description = {"reader": "from_tfrecord", "source": name, "seed": wanted.seed, "features": sorted(features)[:1000]}
    return of_rows(plan, rows, lambda own: None, description, in_memory_bytes)


def _source(decode: Any) -> str:
    """Names a function by what it does, as far as that can be seen."""
    if decode is None:
        return ""
    try:
        text = inspect.getsource(decode)
    except (OSError, TypeError):
        text = repr(decode)
    code = getattr(decode, "__code__", None)
    return f"{text} {code.co_code if code else ''} {code.co_consts if code else ''} {_closure(decode)}"


def _closure(decode: Any) -> str:
    cells = getattr(decode, "__closure__", None) or ()
    return repr([cell.cell_contents for cell in cells])


def _records(file: _File) -> Any:
    import tensorflow as tf

    return tf.data.TFRecordDataset(file.path, compression_type=file.compression)


def _features(file: _File) -> dict[str, Any]:
    """What the first record of a file holds, as `tf.io.parse_single_example` takes it."""
    import tensorflow as tf

    rule = f"{file.name}: must hold records of tf.train.Example"
    try:
        first = next(iter(_records(file)), None)
    except tf.errors.OpError as error:
        if not file.compression and _begin(file.path) == b"\x1f\x8b":
            raise DataError(f"{rule}, but is compressed by gzip: let its name end in .gz") from None
        raise DataError(f"{rule}, but is damaged or another: {_gist(error)}") from None
    if first is None:
        raise DataError(f"{rule}, at least one, but holds none")
    try:
        example = tf.train.Example.FromString(first.numpy())
    except Exception:  # of protobuf, whose kinds of errors differ between versions
        example = tf.train.Example()
    kinds = {"bytes_list": tf.string, "float_list": tf.float32, "int64_list": tf.int64}
    found = {}
    for name, feature in sorted(example.features.feature.items()):
        kind = feature.WhichOneof("kind")
        if kind is not None:
            length = len(getattr(feature, kind).value)
            found[name] = tf.io.FixedLenFeature([] if length == 1 else [length], kinds[kind])
    if not found:
        raise DataError(f"{rule}, but the first has no features; give other records by a tf.data.Dataset of your own")
    return found


def _begin(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(2)


def _decoded(
    files: list[_File], features: dict[str, Any], form: Form, facts: dict[str, Any]
) -> Iterator[dict[str, Array]]:
    import tensorflow as tf

    ys: list[Any] = []
    counts: list[int] = []
    shapes: dict[str, Any] | None = None

    def parse(record: Any) -> Any:
        parsed = tf.io.parse_single_example(record, features)
        y = parsed.pop(form.target) if form.target is not None else tf.constant(0)
        x = parsed if form.decode is None else _array_of(form.decode(dict(parsed)))
        return (x if isinstance(x, dict) else {"x": x}), y

    for file in files:
        count, batch = 0, []
        with tf.device("CPU:0"):
            try:
                examples = iter(_records(file).map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True))
            except DataError:
                raise
            except Exception as error:
                raise DataError(f"{file.name}: decode must work on the features, but {_gist(error)}") from error
            while True:
                where = f"{file.name}: record {count + 1}"
                try:
                    x, y = next(examples)
                except StopIteration:
                    break
                except tf.errors.DataLossError:
                    raise DataError(f"{where} is damaged: the file was cut or changed; write or copy it anew") from None
                except tf.errors.OpError as error:
                    raise DataError(f"{where} {_wrong(error, features)}") from None
                arrays = {name: np.asarray(value) for name, value in x.items()}
                shapes = shapes or {name: (array.shape, array.dtype) for name, array in arrays.items()}
                _check(arrays, shapes, where)
                ys.append(y.numpy())
                batch.append(arrays)
                count += 1
                if len(batch) * sum(array.nbytes for array in arrays.values()) >= _BATCH_BYTES:
                    yield _stacked(batch)
                    batch = []
        _check_end(file, count)
        if batch:
            yield _stacked(batch)
        counts.append(count)
    facts["counts"] = counts
    if form.target is not None:
        is_text = isinstance(ys[0], bytes)
        facts["y_dtype"] = "text" if is_text else str(np.asarray(ys[0]).dtype)
        facts["y"] = [y.decode("utf-8", "replace") if is_text else np.asarray(y).tolist() for y in ys]


def _array_of(decoded: Any) -> Any:
    if decoded is None or isinstance(decoded, tuple | list | str):
        # No DataError: TensorFlow would tell where it was raised, instead of what it says.
        raise TypeError(f"it must return an array or a dict of arrays, but returned {type(decoded).__name__}")
    return decoded


def _wrong(error: Any, features: dict[str, Any]) -> str:
    """What is wrong with a record that could not be read."""
    said = _gist(error).rpartition("::")[2].partition(": ")[2] or _gist(error)
    feature, kind = re.match(r"(?:Key|Feature): (\S+?)[. ]", said), "must have the features of the first one"
    if feature is None:
        return f"cannot be decoded: {said}"
    if "required but could not be found" in said:
        return f"{kind}, but has no {feature[1]}"
    shape = features[feature[1]].shape if feature[1] in features else []
    return f"{kind}, but {feature[1]} has another type or length than {shape[0] if shape else 1}"


def _check_end(file: _File, count: int) -> None:
    """Makes sure that these records are all: TensorFlow ends silently at a header that was cut."""
    if file.compression:
        return
    size = Path(file.path).stat().st_size
    with open(file.path, "rb") as raw:
        for _ in range(count):
            (length,) = struct.unpack("<Q", raw.read(8))
            raw.seek(length + 8, 1)  # the sum of the length, the record, its own sum
        if raw.tell() != size:
            raise DataError(f"{file.name}: record {count + 1} is damaged: the file was cut; write or copy it anew")


def _stacked(batch: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.stack([arrays[name] for arrays in batch]) for name in batch[0]}


def _check(arrays: dict[str, Array], shapes: dict[str, Any], where: str) -> None:
    for name, array in arrays.items():
        of = "" if name == "x" else f" {name}"
        if array.dtype.kind not in "biuf":
            raise DataError(
                f"{where}: feature {name} must be numbers, but holds bytes; decode=… makes an array of them, such as"
                f" lambda f: tf.io.decode_png(f[{name!r}])"
            )
        if (array.shape, array.dtype) != shapes[name]:
            shape = shapes[name][0]
            raise DataError(f"{where}: x{of} must have the shape {shape} of the first record, but has {array.shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{where}: x{of} must hold finite numbers, but got NaN or infinity")


def _gist(error: Any) -> str:
    """What an exception says on one line, without TensorFlow's names of nodes and its traceback."""
    text = re.sub(r"\{\{.*?\}\}", "", str(getattr(error, "message", error)))
    lines = [line.strip() for line in text.splitlines() if line.strip() and "[[" not in line]
    told = lines[-1] if lines and lines[0].startswith("in user code") else lines[0] if lines else type(error).__name__
    return told.partition(" [Op:")[0][:200]
