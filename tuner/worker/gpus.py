"""A trial's share of its GPUs, set before TensorFlow starts, so that trials on one card leave each other room.

Ray assigns cards as numbers but enforces nothing; TensorFlow would take a whole card and all of its memory.
"""

from __future__ import annotations

from trainables.cards import CardError, card_mb, first_card

CONTEXT_MB = 512
"""What CUDA and its libraries take of a card besides TensorFlow's own memory, for each process."""


def environment(gpus: float) -> dict[str, str]:
    """The variables that a worker must set for a trial with so many GPUs, whatever they were before."""
    if not gpus:
        return {"CUDA_VISIBLE_DEVICES": "-1"}
    # Ray numbers cards as NVML does; CUDA by default puts the fastest first. With a memory limit set, TensorFlow takes
    # memory growth from this variable only.
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def memory_limit_mb(gpus: float) -> int | None:
    """TensorFlow's memory on a card of which a trial has a fraction; None where it has whole ones.

    Raises:
        ValueError: the fraction is too small for anything, or the card's memory cannot be read.
    """
    if gpus >= 1:
        return None
    try:
        return share_mb(gpus, card_mb(first_card()))
    except CardError as error:
        raise ValueError(f"a fraction of a GPU must be measured by nvidia-smi, but {error}") from error


def share_mb(fraction: float, card_mb: int) -> int:
    """What is left of a fraction of a card for TensorFlow.

    Raises:
        ValueError: nothing is.
    """
    limit_mb = int(fraction * card_mb) - CONTEXT_MB
    if limit_mb <= 0:
        raise ValueError(
            f"resources.gpus_per_trial must leave more than the {CONTEXT_MB} MiB that CUDA itself takes, but got"
            f" {fraction:g} of {card_mb} MiB"
        )
    return limit_mb
