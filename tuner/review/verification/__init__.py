"""The offline checker: reads a sweep's journal, MLflow runs and checkpoints, and reports broken invariants."""

from tuner.review.verification.checker import verify_sweep
from tuner.review.verification.result import INVARIANTS, Finding, Verification

__all__ = ["INVARIANTS", "Finding", "Verification", "verify_sweep"]
