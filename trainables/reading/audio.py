"""Folders of WAV files, read with Python alone."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.contract import Data, DataError
from trainables.reading import folders, node_cache, places
from trainables.reading.building import of_rows
from trainables.reading.folders import Found
from trainables.reading.planning import Wanted
from trainables.reading.rows import decoded

Array = np.ndarray[Any, Any]

SUFFIXES = (".wav",)
_BATCH_BYTES = 8 * 2**20


def read(given: Any, sequence_length: int | None, wanted: Wanted, in_memory_bytes: int) -> Data:
    """A `Data` of samples; see `Readers.from_audio_folder`.

    Raises:
        DataError: the folder has another form, or files are no PCM, or differ in rate, channels or length.
    """
    if sequence_length is not None and (
        isinstance(sequence_length, bool) or not isinstance(sequence_length, int) or sequence_length < 1
    ):
        raise DataError(f"sequence_length must be a whole number of samples from 1 on, but got {sequence_length!r}")
    found = folders.find(given, "WAV files", SUFFIXES, wanted)
    facts: dict[str, Any] = {}
    key = node_cache.key_of("audio", sequence_length, found.stamps())
    rows = decoded(key, lambda: _decoded(found, sequence_length, facts), facts=facts)
    if rows is None:
        raise DataError(
            f"{found.name}: the decoded samples are larger than this machine's disk may hold of them"
            f" ({node_cache.limit_bytes()} bytes by ${node_cache.LIMIT_VARIABLE}): allow more, or use a shorter"
            " sequence_length"
        )
    rate = int(rows.facts["sampling_rate"])
    description = {
        "reader": "from_audio_folder", "source": found.name, "seed": wanted.seed, "sampling_rate": rate
    }  # fmt: skip
    return of_rows(found.plan, rows, _never, description, in_memory_bytes, sampling_rate=rate)


@dataclass(frozen=True)
class Lengths:
    """What the headers of the files of a folder say; those that cannot be read are not among them.

    Attributes:
        rate: samples a second of the first file.
        samples: of each file.
    """

    rate: int
    samples: list[int]


def lengths(given: Any) -> Lengths:
    """How long the WAV files of a folder are.

    Raises:
        DataError: there is no such folder.
    """
    rate, samples = 0, []
    for path in places.walk(places.folder(given)[1]):
        if path.name.lower().endswith(SUFFIXES):
            with suppress(wave.Error, EOFError, OSError), wave.open(str(path), "rb") as file:
                rate = rate or file.getframerate()
                samples.append(file.getnframes())
    return Lengths(rate, samples)


def _never(numbers: Array) -> Any:
    raise AssertionError("there are rows")


def _decoded(found: Found, sequence_length: int | None, facts: dict[str, Any]) -> Iterator[dict[str, Array]]:
    batch: list[Array] = []
    first: tuple[int, int] | None = None
    length = sequence_length
    for path, name in zip(found.paths, found.names, strict=True):
        samples, rate = _samples(path, name)
        first, length = first or (rate, samples.shape[1]), length or len(samples)
        for what, value, wanted in (
            ("sampling rate", rate, first[0]),
            ("number of channels", samples.shape[1], first[1]),
        ):
            if value != wanted:
                raise DataError(f"{name}: must have the {what} of the others, {wanted}, but has {value}")
        if sequence_length is None and len(samples) != length:
            raise DataError(
                f"{name}: must have the {length} samples of the others, but has {len(samples)}; sequence_length=… cuts"
                " longer files and pads shorter ones with zeros"
            )
        whole = np.zeros((length, samples.shape[1]), np.float32)
        whole[: len(samples)] = samples[:length]
        batch.append(whole)
        if len(batch) * whole.nbytes >= _BATCH_BYTES:
            yield {"x": np.stack(batch)}
            batch = []
    facts["sampling_rate"] = first[0] if first else 0
    if batch:
        yield {"x": np.stack(batch)}


def _samples(path: Path, name: str) -> tuple[Array, int]:
    """The samples of a file from -1 to 1, of shape (samples, channels), and their rate."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            num_frames, data = file.getnframes(), file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        reason = f": {error}" if str(error) else ""
        raise DataError(f"{name}: must be a WAV file of PCM samples, but is damaged or another{reason}") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error
    if not num_frames or len(data) != num_frames * channels * width:
        got = len(data) // max(1, channels * width)
        raise DataError(f"{name}: must hold the {num_frames} samples that its header says, at least 1, but holds {got}")
    return _floats(data, width).reshape(-1, channels), rate


def _floats(data: bytes, width: int) -> Array:
    if width == 1:  # the only unsigned one
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return (wide.reshape(-1).view("<i4") / 2.0**31).astype(np.float32)
    return (np.frombuffer(data, f"<i{width}") / 2.0 ** (8 * width - 1)).astype(np.float32)
