"""How far a training is, in optimizer steps and in examples: metrics of each epoch, so that runs compare by them."""

from __future__ import annotations

STEPS, SAMPLES, STEPS_PER_EPOCH = "steps", "samples", "steps_per_epoch"
COUNTS = (STEPS, SAMPLES, STEPS_PER_EPOCH)
MICRO_BATCH_SIZE = "micro_batch_size"


def with_counts(
    metrics: dict[str, float], steps: int, samples: int | None, steps_per_epoch: int, parts: int | None = None
) -> dict[str, float]:
    """An epoch's metrics with its counts; a metric of the trainable's own of the same name stays.

    Args:
        steps: so far; a last batch that is smaller is a step, too.
        samples: examples so far; None where nobody knows.
        steps_per_epoch: those of this epoch.
        parts: the most examples that were trained at once; None for whole batches.
    """
    counts: dict[str, float] = {STEPS: steps}
    if samples is not None:
        counts[SAMPLES] = samples
    counts[STEPS_PER_EPOCH] = steps_per_epoch
    if parts is not None:
        counts[MICRO_BATCH_SIZE] = parts
    return {**metrics, **{name: float(count) for name, count in counts.items() if name not in metrics}}
