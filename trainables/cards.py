"""What NVIDIA's driver says about the cards of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


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


@dataclass(frozen=True)
class CardUse:
    """How much of a card is used at a moment, by all of its processes."""

    busy_percent: float
    used_bytes: float
    memory_bytes: float
    watts: float | None
    """None where the card does not tell."""


def card_use(cards: Sequence[str]) -> list[CardUse]:
    """The use of each of these cards, by their numbers or UUIDs; empty if nobody tells."""
    try:
        lines = _answer(_command("utilization.gpu,memory.used,memory.total,power.draw", cards)).splitlines()
        return [_use(*line.split(",")) for line in lines] if len(lines) == len(cards) else []
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return []


def _use(busy: str, used_mib: str, memory_mib: str, watts: str) -> CardUse:
    try:
        power: float | None = float(watts)
    except ValueError:  # [N/A]
        power = None
    return CardUse(float(busy), float(used_mib) * 2**20, max(float(memory_mib), 1.0) * 2**20, power)


def _command(fields: str, cards: Sequence[str]) -> list[str]:
    return ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", f"--id={','.join(cards)}"]


def _answer(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
