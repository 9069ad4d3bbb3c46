"""The figures of a sweep as Altair charts: `sweep.plot.importance()` and its like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tuner.base.errors import UsageError
from tuner.sweep import Sweep

if TYPE_CHECKING:
    from tuner.report.charts import Chart


class Plots:
    """The figures of a sweep's report, as of its current journal.

    Each method returns an Altair chart, which a notebook shows and `.save("figure.png")` writes.

    Raises:
        UsageError: the sweep has nothing to show in this figure yet, or never will; the message says why.
    """

    def __init__(self, read: Callable[[], Sweep]) -> None:
        self._read = read

    def importance(self) -> Chart:
        """How much each parameter matters, with intervals."""
        return self._chart("importance")

    def slices(self) -> Chart:
        """The expected objective along each of the parameters that matter most."""
        return self._chart("slices")

    def contours(self) -> Chart:
        """The expected objective over pairs of the parameters that matter most."""
        return self._chart("contours")

    def parallel_coordinates(self) -> Chart:
        """A line for each trial through its parameters to its value."""
        return self._chart("parallel_coordinates")

    def map(self) -> Chart:
        """The trials over learning rate and batch size, or the first two parameters."""
        return self._chart("map")

    def parameters(self) -> Chart:
        """Every trial's best value over each searched parameter."""
        return self._chart("parameters")

    def best_so_far(self) -> Chart:
        """The best value so far, over the epochs of all trials."""
        return self._chart("best_so_far")

    def curves(self) -> Chart:
        """The learning curve of every trial."""
        return self._chart("curves")

    def rungs(self) -> Chart:
        """Who was stopped at which rung, and who went on."""
        return self._chart("rungs")

    def saved(self) -> Chart:
        """The epochs and seconds that early stopping saved."""
        return self._chart("saved")

    def outcomes(self) -> Chart:
        """How many trials ended in which way."""
        return self._chart("outcomes")

    def time(self) -> Chart:
        """Start, training, idle time and end."""
        return self._chart("time")

    def slots(self) -> Chart:
        """When each trial trained, with a row for each slot."""
        return self._chart("slots")

    def throughput(self) -> Chart:
        """Examples or epochs a second against batch size."""
        return self._chart("throughput")

    def _chart(self, name: str) -> Chart:
        from tuner.report.charts import FIGURES
        from tuner.report.notebook import shown_offline

        sweep = self._read()
        chart = FIGURES[name](sweep)
        if chart is None:
            raise UsageError(f"plot.{name}: nothing to show of sweep {sweep.name}: {_why(sweep, name)}")
        return shown_offline(chart)

    def __dir__(self) -> list[str]:
        return [name for name in vars(type(self)) if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<figures of a sweep: {', '.join(f'{name}()' for name in dir(self))}>"


def _why(sweep: Sweep, name: str) -> str:
    """Why a figure has nothing to show, in a few words."""
    from tuner.analysis.curves import searched
    from tuner.analysis.importance_cache import weighed
    from tuner.analysis.importance_values import Unknown

    if not sweep.trials:
        return "it has no trial yet"
    if not sweep.num_epochs:
        return "no trial has trained an epoch yet"
    if name not in ("outcomes", "time", "slots", "saved", "throughput", "rungs") and sweep.best is None:
        return "no trial has a usable value"
    if name in ("importance", "slices", "contours"):
        known = weighed(sweep)
        return known.reason if isinstance(known, Unknown) else "no two parameters matter together"
    if name in ("parallel_coordinates", "map", "parameters"):
        return "it takes two searched parameters with values" if searched(sweep) else "its spec searches no parameter"
    reasons = {
        "rungs": "no trial has reached a rung of early stopping",
        "saved": "early stopping has stopped no trial",
        "throughput": "it takes trials with two batch sizes at least",
    }
    return reasons.get(name, "nothing has been measured yet")
