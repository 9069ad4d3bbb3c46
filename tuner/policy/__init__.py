"""The policy: pure decisions from the events told so far. The only importer of hyperopt; no Ray, no clock, no files."""

from tuner.policy.earlier import EarlierTrial
from tuner.policy.policy import CONTINUE, STOP, Decision, Policy, Suggestion
from tuner.policy.tpe import preload

__all__ = ["CONTINUE", "STOP", "Decision", "EarlierTrial", "Policy", "Suggestion", "preload"]
