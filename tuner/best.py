"""`tuner.best.best_model` is `tuner.best_model`; the old address of it."""

from tuner.review.best import best_model

__all__ = ["best_model"]
