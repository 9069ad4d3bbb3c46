"""What a sweep is: its events, and the state that they fold into. Nothing here makes a decision."""

from tuner.sweep.fold import DriverSpan, Mode, Sweep, Trial, fold, is_better, objective_value, with_changes

__all__ = ["DriverSpan", "Mode", "Sweep", "Trial", "fold", "is_better", "objective_value", "with_changes"]
