"""The policy: pure decisions from what was told so far. The only importer of Hyperopt; no Ray, no clock, no files."""

from tuner.policy.earlier import EarlierTrial
from tuner.policy.policy import CONTINUE, STOP, Decision, Policy, Suggestion
from tuner.policy.tpe import preload
from tuner.policy.version import VERSION

__all__ = ["CONTINUE", "STOP", "VERSION", "Decision", "EarlierTrial", "Policy", "Suggestion", "preload"]
