"""Folders of files as people have them: tiny images, tables and texts whose classes can be learned."""

from __future__ import annotations

import struct
import wave
import zlib
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def png(pixels: Array) -> bytes:
    """An image file of uint8 pixels of shape (height, width, 3), made without TensorFlow."""
    height, width, _ = pixels.shape
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(raw)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def images(folder: Path, count: int, size: tuple[int, int] = (8, 8), seed: int = 0) -> Path:
    """As many images, half of them dark and half light."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        label = ("dark", "light")[number % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 120, (*size, 3)) + 135 * (number % 2)
        (folder / label / f"{number:05}.png").write_bytes(png(pixels.astype(np.uint8)))
    return folder


def tables(folder: Path, count: int, rows: int = 4, seed: int = 0) -> Path:
    """As many CSV files; the label follows from the first column."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        lines = ["height,width,color,label"]
        for _ in range(rows):
            height, width = rng.normal(size=2)
            color = ("red", "green", "blue")[int(rng.integers(3))]
            lines.append(
                f"{height:.6f},{width:.6f},{color},{('low', 'mid', 'top')[int(np.digitize(height, [-0.5, 0.5]))]}"
            )
        (folder / f"{number:05}.csv").write_text("\n".join(lines) + "\n")
    return folder


def texts(folder: Path, count: int, seed: int = 0) -> Path:
    """As many texts, half of them glad and half sad."""
    rng = np.random.default_rng(seed)
    words = {"glad": ["sun", "smile", "good", "song"], "sad": ["rain", "tear", "bad", "loss"]}
    for number in range(count):
        label = ("glad", "sad")[number % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        text = " ".join([str(rng.choice(words[label])) for _ in range(4)] + [f"word{int(rng.integers(40))}"])
        (folder / label / f"{number:05}.txt").write_text(text)
    return folder


def sounds(folder: Path, count: int, samples: int = 100, rate: int = 8000, width: int = 2, seed: int = 0) -> Path:
    """As many WAV files, half of them loud and half quiet."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        label = ("loud", "quiet")[number % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        sound(folder / label / f"{number:05}.wav", rng.integers(0, 255, samples * width), rate, width)
    return folder


def sound(path: Path, data: Array, rate: int = 8000, width: int = 2) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data.astype(np.uint8).tobytes())
