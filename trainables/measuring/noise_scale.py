"""The simple gradient noise scale (McCandlish et al. 2018, appendix A.1), from gradients at two batch sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLED = 200


def noise_scale(
    small: int, big: int, small_squares: Sequence[float], big_squares: Sequence[float]
) -> tuple[float, float, float] | None:
    """The scale, in examples, and the range that holds the middle 80 % of what resampling gives.

    Args:
        small, big: the two batch sizes.
        small_squares, big_squares: the squared norms of gradients of such batches, pair by pair.

    Returns:
        None where the noise hides the gradient: the estimate of its square is not positive.
    """
    if not 0 < small < big:
        raise ValueError(f"0 < small < big must hold, but got small={small}, big={big}")
    of_small, of_big = np.asarray(small_squares, float), np.asarray(big_squares, float)
    if len(of_small) != len(of_big) or not len(of_small):
        raise ValueError(f"there must be as many small as big batches, but got {len(of_small)} and {len(of_big)}")
    found = _scale(small, big, of_small.mean(), of_big.mean())
    if found is None:
        return None
    random = np.random.default_rng(0)
    picks = random.integers(0, len(of_small), (RESAMPLED, len(of_small)))
    drawn = [_scale(small, big, of_small[pick].mean(), of_big[pick].mean()) for pick in picks]
    low, high = np.quantile([scale if scale is not None else np.inf for scale in drawn], [0.1, 0.9], method="lower")
    highest = high if np.isfinite(high) else max(scale for scale in drawn if scale is not None)
    return found, float(min(low, found)), float(max(found, highest))


def _scale(small: int, big: int, small_square: float, big_square: float) -> float | None:
    """tr(covariance) / |gradient|^2, both without bias (equations A.2)."""
    gradient_square = (big * big_square - small * small_square) / (big - small)
    noise = (small_square - big_square) / (1 / small - 1 / big)
    return float(max(0.0, noise) / gradient_square) if gradient_square > 0 else None
