"""The description of a sweep in MLflow: a few lines of Markdown."""

from __future__ import annotations

from tuner.recording.values import value_text
from tuner.sweep import Sweep


def note(sweep: Sweep, names_changed: bool = False) -> str:
    """The parent run's description: what is searched and, once known, what was found.

    Args:
        names_changed: whether some metrics or parameters have other names in MLflow than in the sweep.
    """
    aim = "highest" if sweep.mode == "max" else "lowest"
    lines = [
        f"Trainable: {sweep.spec.get('trainable', 'unknown')}",
        f"Objective: the {aim} {sweep.metric}",
        f"Trials: {sweep.num_counted} of {sweep.num_trials}" if sweep.trials else f"Trials: {sweep.num_trials}",
    ]
    if names_changed:
        lines.append("Names: MLflow does not accept some of them; names.json maps its keys to the names")
    if sweep.best is not None:
        best = sweep.best
        lines.append(
            f"Best: {sweep.metric} {value_text(best.best_value)} in trial {best.number}, epoch {best.best_epoch}"
        )
        lines.append("with " + ", ".join(f"{name} {value_text(value)}" for name, value in best.params.items()))
    if sweep.ended is not None:
        lines.append(f"State: {sweep.ended.state}. {sweep.ended.reason}".rstrip(" ."))
    elif sweep.interrupted is not None:
        lines.append(f"State: interrupted. {sweep.interrupted.reason}".rstrip(" ."))
    return "  \n".join(lines)
