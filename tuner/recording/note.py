"""What a sweep and its trials are called and described as in MLflow."""

from __future__ import annotations

import shlex
from collections import Counter

from trainables.given import PREFIX, is_given
from tuner.base.text import duration_text, metric_text, short
from tuner.base.words import Params, Value
from tuner.recording.names import TRAINING_PARAMS
from tuner.recording.values import value_text
from tuner.sweep import Sweep

_SHORT = {"learning_rate": "lr", "batch_size": "batch"}
_NAMED_MAX = 2
"""Parameters that a run's name tells."""
_VALUE_CHARS_MAX = 24
_DOES = (
    "goes on where it stopped",
    "the best trial's model",
    "the same sweep anew elsewhere, from the artifact spec.yaml",
)


def run_name(trial: int, params: Params) -> str:
    """`trial 45 · lr 0.0033 · batch 64`: a trial's number, its rate and batch size, or its first parameters."""
    known = [name for name in _SHORT if name in params]
    others = [name for name in params if name not in TRAINING_PARAMS]
    names = [*others[: _NAMED_MAX - len(known)], *known]
    return " · ".join([f"trial {trial}", *(f"{_SHORT.get(name, name)} {_short(params[name])}" for name in names)])


def note(sweep: Sweep, names_changed: bool = False, trials_page: str = "") -> str:
    """The description of a sweep's run, in Markdown: what is searched, what was found, how to go on.

    Args:
        names_changed: whether some metrics or parameters have other names in MLflow than in the sweep.
        trials_page: the address of its trials; empty for none.
    """
    aim = "highest" if sweep.mode == "max" else "lowest"
    lines = [
        f"Trainable: {sweep.spec.get('trainable') or 'unknown'}",
        f"Objective: the {aim} {sweep.metric}",
        f"Trials: {sweep.num_counted} of {sweep.num_trials}" if sweep.trials else f"Trials: {sweep.num_trials}",
    ]
    if ended := Counter(trial.outcome for trial in sweep.trials.values() if trial.outcome is not None):
        lines.append("Outcomes: " + ", ".join(f"{count} {outcome}" for outcome, count in ended.most_common()))
        trained_s = sum(trial.training_s for trial in sweep.trials.values())
        lines.append(f"Trained: {sweep.num_epochs} epochs in {duration_text(trained_s)}")
    if names_changed:
        lines.append("Names: MLflow does not accept some of them; names.json maps its keys to the names")
    if sweep.best is not None:
        best = sweep.best
        lines.append(
            f"Best: {sweep.metric} {metric_text(best.best_value)} in trial {best.number}, epoch {best.best_epoch}"
        )
        lines.append("with " + ", ".join(f"{name} {short(value)}" for name, value in best.params.items()))
    if sweep.ended is not None:
        lines.append(f"State: {sweep.ended.state}. {sweep.ended.reason}".rstrip(" ."))
    elif sweep.interrupted is not None:
        lines.append(f"State: interrupted. {sweep.interrupted.reason}".rstrip(" ."))
    parts = ["  \n".join(lines), _commands(sweep)]
    if trials_page:
        parts.insert(1, f"[Its trials, best first]({trials_page})")
    return "\n\n".join(parts)


def _commands(sweep: Sweep) -> str:
    if is_given(trainable := str(sweep.spec.get("trainable"))):  # no command can give the class
        given = f"{sweep.name!r}, trainable={trainable.removeprefix(PREFIX)}"
        again = f"tuner.run('spec.yaml', trainable={trainable.removeprefix(PREFIX)})"
        commands = [f"tuner.resume({given})", f"tuner.load({given}).best_model()", again]
    else:
        name = shlex.quote(sweep.name)
        commands = [f"tuner resume {name}", f"tuner export {name}", "tuner run spec.yaml"]
    width = max(map(len, commands)) + 6
    lines = [f"{command:{width}}# {does}" for command, does in zip(commands, _DOES, strict=True)]
    return "\n".join(["```", *lines, "```"])


def _short(value: Value) -> str:
    if isinstance(value, float):
        return value_text(float(f"{value:.2g}"))
    text = value_text(value)
    return text if len(text) <= _VALUE_CHARS_MAX else text[: _VALUE_CHARS_MAX - 1] + "…"
