"""What NVIDIA's driver says about the cards of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence


class CardError(ValueError):
    """A card cannot be measured; the message says what failed."""


def first_card() -> str:
    """The number or UUID of the first card that this process may use."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]


def card_mb(card: str) -> int:
    """The memory of a card, by its number or UUID, in MiB.

    Raises:
        CardError: `nvidia-smi` does not tell it.
    """
    command = _command("memory.total", [card])
    try:
        return int(_answer(command).split()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise CardError(f"{' '.join(command)} failed: {error}") from error


def card_names(cards: Sequence[str]) -> tuple[str, ...]:
    """What cards these are, by their numbers or UUIDs, such as `NVIDIA A100-SXM4-40GB`; empty if nobody tells."""
    try:
        names = _answer(_command("name", cards)).splitlines()
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()
    return tuple(name.strip() for name in names) if len(names) == len(cards) else ()


def _command(fields: str, cards: Sequence[str]) -> list[str]:
    return ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", f"--id={','.join(cards)}"]


def _answer(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
