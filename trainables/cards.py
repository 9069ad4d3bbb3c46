"""What NVIDIA's driver says about the cards of this machine."""

from __future__ import annotations

import os
import subprocess


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
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits", f"--id={card}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return int(done.stdout.split()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise CardError(f"{' '.join(command)} failed: {error}") from error
