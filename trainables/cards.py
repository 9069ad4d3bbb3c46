"""What NVIDIA's driver says about the cards of this machine."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

USE_LIMIT_S = 5.0
"""For a card's use, which a trial's last report waits for."""


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
    """How much of a card is used at a moment, by all of its processes; None for what the card does not tell."""

    busy_percent: float | None
    used_bytes: float | None
    memory_bytes: float | None
    watts: float | None

    @property
    def used_percent(self) -> float | None:
        """Of its memory."""
        return self.used_bytes / self.memory_bytes * 100 if self.used_bytes is not None and self.memory_bytes else None


def card_use(cards: Sequence[str]) -> list[CardUse]:
    """The use of each of these cards, by their numbers or UUIDs; empty if nobody tells in time."""
    command = _command("utilization.gpu,memory.used,memory.total,power.draw", cards)
    try:
        lines = _answer(command, USE_LIMIT_S).splitlines()
        return [_use(*line.split(",")) for line in lines] if len(lines) == len(cards) else []
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return []


def _use(busy: str, used: str, memory: str, watts: str) -> CardUse:
    return CardUse(_number(busy), _bytes(used), _bytes(memory), _number(watts))


def _bytes(mib: str) -> float | None:
    number = _number(mib)
    return None if number is None else number * 2**20


def _number(text: str) -> float | None:
    """A figure; None for `[N/A]`, `[Not Supported]`, `ERR!` and the like."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _command(fields: str, cards: Sequence[str]) -> list[str]:
    return ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", f"--id={','.join(cards)}"]


def _answer(command: list[str], limit_s: float = 60.0) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=True).stdout
