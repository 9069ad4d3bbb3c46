"""A report in Markdown, for a pull request: the best trial, what matters, advice, the best trials, and figures."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from tuner.base.outcomes import SweepState
from tuner.report.charts import Tables
from tuner.report.charts.columns import printable
from tuner.report.reading import best_text, facts, goal, importance_text, params_line, shown_advice

TRIALS_SHOWN = 10
_SPECIAL = re.compile(r"([\\`*_\[\]#|~@!])")


def report_markdown(tables: Tables, state: SweepState, figures: Mapping[str, tuple[str, str]] | None = None) -> str:
    """The report as Markdown.

    Args:
        figures: file name -> (title, caption) of images that lie beside the text.
    """
    sweep = tables.sweep
    parts = [f"# {plain(sweep.name)}", plain(f"{state}, looks for {goal(sweep)}"), *_best(tables)]
    if sweep.num_epochs:
        parts += ["## What matters", plain(importance_text(tables.weighed))]
    if advice := shown_advice(tables.advice):
        items = (f"1. {plain(it.says)}" + (f"\n\n   {_code(it.command)}" if it.command else "") for it in advice)
        parts += ["## Advice", "\n".join(items)]
    if rows := sweep.ranked()[:TRIALS_SHOWN]:
        head = f"| trial | {plain(sweep.metric)} | epoch | outcome | parameters |\n|---:|---:|---:|---|---|"
        lines = [
            f"| {trial.number} | {trial.best_value:.6g} | {trial.best_epoch} of {trial.epochs_trained} | {trial.state} "
            f"| {_code(params_line(sweep, trial), in_table=True)} |"
            for trial in rows
        ]
        parts += [f"## The best {len(rows)} of {len(sweep.trials)} trials", "\n".join([head, *lines])]
    for file, (title, caption) in (figures or {}).items():
        parts += [f"## {plain(title)}", plain(caption), f"![{plain(title)}](<{file}>)"]
    parts += ["## Sweep", "\n".join(f"- {plain(name)}: {plain(text)}" for name, text in facts(sweep))]
    return "\n\n".join(parts) + "\n"


def _best(tables: Tables) -> list[str]:
    best = best_text(tables.sweep)
    if best is None:
        return ["No trial has a usable value yet."]
    tested = "".join(f", {plain(name)} {value}" for name, value in best.tested.items())
    first = f"**{plain(tables.sweep.metric)} {best.value}** in trial {best.trial}, epoch {best.epoch}{tested}"
    return ["## Best trial", first, "\n".join(f"- {plain(name)}: {_code(it)}" for name, it in best.params.items())]


def plain(text: str) -> str:
    """Text that Markdown shows as it is, also in a table."""
    return _SPECIAL.sub(r"\\\1", html.escape(printable(text), quote=False))


def _code(text: str, in_table: bool = False) -> str:
    """Text as code."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    inside = f" {text} " if text.startswith("`") or text.endswith("`") else text
    code = f"{fence}{printable(inside)}{fence}" if text else ""
    return code.replace("|", "\\|") if in_table else code
