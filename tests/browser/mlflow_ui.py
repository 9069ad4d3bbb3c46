"""`tuner ui` in a process of its own, and what MLflow's pages show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.servers import wait_until

QUIET = ("users/current",)
"""MLflow's page asks for the user, whom a server without users does not know."""
IN_CHARTS = ("users/current", "attribute ")
"""And its parallel coordinates are drawn once before their size is known."""
_NO_ASSISTANT = """
    if (window === window.top && location.protocol === 'http:') {
        localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
        localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
    }
"""


@dataclass(frozen=True)
class Ui:
    """A running `tuner ui`.

    Attributes:
        base: the server's address.
        trials: the address of a sweep's trials that it printed.
    """

    base: str
    trials: str

    @property
    def charts(self) -> str:
        """The same trials as charts."""
        return self.trials.replace("?", "?compareRunsMode=CHART&", 1)

    def at(self, *path: str) -> str:
        """A page of an experiment, such as that of a run."""
        return f"{self.base}/#/experiments/{'/'.join(path)}?workflowType=machine_learning"


@contextmanager
def running_ui(root: Path, sweep: str) -> Iterator[Ui]:
    """`tuner ui SWEEP` on a storage root, from when it answers."""
    command = [sys.executable, "-m", "tuner.cli.main", "ui", sweep, "--port", "0", "--storage", str(root)]
    log = root.parent / "ui.log"
    environ = os.environ | {"COLUMNS": "1000"}  # else the addresses are broken into lines
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environ)
        try:
            wait_until(lambda: "startup complete" in log.read_text() or process.poll() is not None)
            told = log.read_text()
            assert process.poll() is None, told
            base, trials = (
                re.search(rf"^{words}: (\S+)", told, re.MULTILINE) for words in ("MLflow UI", "trials of .*")
            )
            assert base is not None and trials is not None, told
            yield Ui(base[1], trials[1])
        finally:
            process.kill()
            process.wait()


def open_page(page: Page, address: str) -> None:
    """Opens a page of MLflow's UI without its assistant, which covers a quarter of it."""
    page.add_init_script(_NO_ASSISTANT)
    page.goto("about:blank")  # else only the fragment changes, and the page stays as it is
    page.goto(address)


def table(page: Page, first: str) -> dict[str, list[str]]:
    """The runs table as it is shown, by the names of its columns, once its first row has a run with this name."""
    expect(page.locator("[role=row][row-index='0']").filter(has_text=first)).to_be_visible()
    headers = "h => [h.getAttribute('col-id'), h.innerText.trim(), h.getBoundingClientRect().x]"
    cells = "c => [c.getAttribute('col-id'), +c.closest('[row-index]').getAttribute('row-index'), c.innerText.trim()]"
    columns = page.eval_on_selector_all("[role=columnheader][col-id]", f"all => all.map({headers})")
    values = page.eval_on_selector_all("[role=gridcell][col-id]", f"all => all.map({cells})")
    found: dict[str, list[str]] = {}
    for column, name, _ in sorted(columns, key=lambda header: header[2]):
        if texts := [text for of, _, text in sorted(values, key=lambda cell: cell[1]) if name and of == column]:
            found[name] = texts
    return found


def card(page: Page, title: str) -> Locator:
    """The card of a chart with this title."""
    return page.get_by_test_id("experiment-view-compare-runs-card").filter(
        has=page.get_by_role("heading", name=title, exact=True)
    )


def plotted(chart: Locator) -> list[dict[str, Any]]:
    """The traces that Plotly draws on a card."""
    drawn = chart.locator(".js-plotly-plot")
    expect(drawn).to_be_visible()
    found: list[dict[str, Any]] = drawn.evaluate("plot => JSON.parse(JSON.stringify(plot.data))")
    return found


_LINES = """wrapper => {
    let fiber = wrapper[Object.keys(wrapper).find(key => key.startsWith('__reactFiber'))];
    while (!Array.isArray(fiber.memoizedProps?.data)) fiber = fiber.return;
    return fiber.memoizedProps.data;
}"""


def curves(chart: Locator) -> set[tuple[float, ...]]:
    """The values of each curve on a card, to six figures. MLflow draws each one's ends once more."""
    return {rounded(map(float, trace["y"])) for trace in plotted(chart) if trace.get("y")}


def rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(value, 6) for value in values)


def lines(chart: Locator) -> list[dict[str, Any]]:
    """The lines of parallel coordinates, which are drawn on a canvas: what its component was given."""
    wrapper = chart.locator("#wrapper")
    expect(wrapper.locator("canvas").first).to_be_visible()
    found: list[dict[str, Any]] = wrapper.evaluate(_LINES)
    return found
