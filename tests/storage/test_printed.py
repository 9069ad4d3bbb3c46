"""What a trial printed: the first MiB and the last, over all its attempts, without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.storage import SweepFolder
from tuner.storage.printed import PART_BYTES, PrintedFile, printed_text


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    (tmp_path / "sweeps" / "one").mkdir(parents=True)
    return SweepFolder.at(str(tmp_path / "sweeps" / "one"))


def test_each_attempt_adds_to_what_was_printed_before(folder: SweepFolder) -> None:
    assert printed_text(folder, 7) is None
    for text in (b"first\n", b"second\n"):
        file = PrintedFile(folder, 7)
        file.add(text)
        file.write()
    assert printed_text(folder, 7) == "first\nsecond\n"
    assert printed_text(folder, 8) is None


def test_the_first_and_the_last_mebibyte_are_kept(folder: SweepFolder) -> None:
    file = PrintedFile(folder, 0)
    lines = [f"{number:09d}\n".encode() for number in range(400_000)]
    for start in range(0, len(lines), 10_000):
        file.add(b"".join(lines[start : start + 10_000]))
        file.write()
    file.write(is_last=True)
    text = printed_text(folder, 0)
    assert text is not None and text.startswith("000000000\n") and text.endswith("000399999\n")
    assert "[of what follows, only the end was kept]" in text and len(text) < 2 * PART_BYTES + 100


def test_secrets_are_not_kept(folder: SweepFolder) -> None:
    file = PrintedFile(folder, 0)
    file.add(b"connecting to postgresql://me:hunter22@db/x\n")
    file.write(is_last=True)
    text = printed_text(folder, 0)
    assert text is not None and "connecting" in text and "hunter22" not in text
