"""MLflow's page of runs as `tuner ui` opens it: the table, the charts, the runs, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Faults, Screenshots
from tests.browser.histories import recorded
from tests.browser.mlflow_ui import (
    IN_CHARTS,
    QUIET,
    Ui,
    card,
    curves,
    lines,
    open_page,
    plotted,
    rounded,
    running_ui,
    table,
)
from tests.simulation import make_spec
from tuner.recording import read_cursor, record
from tuner.recording.values import param_text
from tuner.storage import SweepFolder
from tuner.storage.journal import Journal, read_events
from tuner.sweep import Sweep, Trial, fold
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow(60), pytest.mark.filterwarnings("ignore")]

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "batch_size": {"choices": [32, 64, 128, 256]},
    "schedule": {"choices": ["constant", "exponential"]},
    "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
    "units": {"low": 32, "high": 256, "step": 32},
}
NUM_TRIALS = 32


@dataclass
class Recorded:
    """A sweep in the store that the server shows."""

    ui: Ui
    folder: SweepFolder
    sweep: Sweep

    @property
    def experiment(self) -> str:
        return read_cursor(self.folder).experiment_id

    @property
    def run(self) -> str:
        return read_cursor(self.folder).run_id


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """`tuner ui dense`: its trials, in one experiment with another sweep."""
    root = tmp_path_factory.mktemp("browser") / "sweeps"
    other = make_spec(name="other", num_trials=3, space={"units": {"low": 1, "high": 9}}, tracking__experiment="mnist")
    recorded(root, other, lambda params, epoch: 0.999 - 1 / (10 + epoch))
    spec = make_spec(name="dense", num_trials=NUM_TRIALS, space=SPACE, tracking__experiment="mnist")
    folder = recorded(root, spec, has_model=True)
    with running_ui(root, "dense") as ui:
        yield Recorded(ui, folder, fold(read_events(folder)))


def curve(trial: Trial) -> tuple[float, ...]:
    """Its objective after each epoch."""
    return rounded(ev.metric_value(epoch.metrics["val_accuracy"]) for epoch in trial.epochs)


def test_the_table_has_what_was_searched_and_the_best_first(
    page: Page, store: Recorded, faults: Faults, screenshots: Screenshots
) -> None:
    ranked = store.sweep.ranked()
    open_page(page, store.ui.trials)
    shown = table(page, f"trial {ranked[0].number} ")
    names = ["learning_rate", "batch_size", "epochs", "schedule", "decay_rate", "units"]
    columns = ["best_val_accuracy", *names, "epochs_trained", "tuner.outcome"]
    assert list(shown)[: len(columns) + 2] == ["Run Name", "Created", *columns]
    for row, trial in enumerate(ranked[: len(shown["units"])]):
        assert shown["Run Name"][row].splitlines()[-1].startswith(f"trial {trial.number} · lr ")
        assert float(shown["best_val_accuracy"][row]) == pytest.approx(trial.best_value)
        wanted = [param_text(trial.params[name]) if name in trial.params else "inactive" for name in names]
        assert [shown[name][row] for name in names] == wanted
        assert shown["epochs_trained"][row] == str(trial.epochs_trained)
        assert shown["tuner.outcome"][row] == trial.outcome
    expect(page.get_by_text(f"{NUM_TRIALS} matching runs")).to_be_visible()
    expect(page.get_by_test_id("saved-views-trigger")).to_have_text("Sweep dense")
    screenshots.take(page, "mlflow-runs")
    assert not faults.but(*QUIET)


def test_the_charts_show_every_trial(page: Page, store: Recorded, faults: Faults, screenshots: Screenshots) -> None:
    page.set_viewport_size({"width": 1920, "height": 1400})
    open_page(page, store.ui.charts)
    values = sorted(trial.best_value for trial in store.sweep.trials.values())
    drawn = lines(card(page, "Parallel Coordinates"))
    assert sorted(float(line["best_val_accuracy"]) for line in drawn) == pytest.approx(values)
    assert {"learning_rate", "batch_size", "schedule", "units", "best_val_accuracy"} == {*drawn[0]} - {"uuid"}

    assert {curve(trial) for trial in store.sweep.trials.values()} <= curves(card(page, "val_accuracy"))
    by_rate = "learning_rate vs. best_val_accuracy"
    contour, dots = plotted(card(page, f"{by_rate} vs. batch_size"))
    assert {float(size) for size in contour["z"]} == {32, 64, 128, 256}, "coloured by batch size"
    assert sorted(map(float, dots["y"])) == pytest.approx(values)
    assert len(plotted(card(page, by_rate))[0]["x"]) == NUM_TRIALS
    screenshots.take(page, "mlflow-charts")
    assert not faults.but(*IN_CHARTS)


def test_a_run_has_its_curves_and_the_sweep_says_how_to_go_on(
    page: Page, store: Recorded, faults: Faults, screenshots: Screenshots
) -> None:
    best = store.sweep.ranked()[0]
    open_page(page, store.ui.trials)
    table(page, f"trial {best.number} ")
    page.get_by_role("link", name=f"trial {best.number} · lr").first.click()
    page.get_by_role("tab", name="Model metrics").click()
    assert curve(best) in curves(card(page, "val_accuracy"))
    screenshots.take(page, "mlflow-run")

    open_page(page, store.ui.at(store.experiment, "runs", store.run))
    expect(page.get_by_text("Objective: the highest val_accuracy")).to_be_visible()
    expect(page.get_by_text("tuner resume dense")).to_be_visible()
    screenshots.take(page, "mlflow-sweep")
    link = page.get_by_role("link", name="Its trials, best first").get_attribute("href")
    open_page(page, urljoin(page.url, link))
    assert "units" in table(page, f"trial {best.number} ")
    assert not faults.but(*IN_CHARTS)


def test_the_best_trials_model_has_its_page(
    page: Page, store: Recorded, faults: Faults, screenshots: Screenshots
) -> None:
    best = store.sweep.ranked()[0]
    open_page(page, store.ui.at(store.experiment, "models"))
    page.get_by_role("link", name=f"dense-trial-{best.number}").first.click()
    expect(page.get_by_role("heading", name=f"dense-trial-{best.number}")).to_be_visible()
    expect(page.get_by_role("link", name=f"trial {best.number} · lr").first).to_be_visible()
    expect(page.get_by_text("best_val_accuracy").first).to_be_visible()
    screenshots.take(page, "mlflow-model")
    assert not faults.but(*QUIET)


def test_the_report_is_drawn_among_the_artifacts(
    page: Page, store: Recorded, faults: Faults, screenshots: Screenshots
) -> None:
    open_page(page, store.ui.at(store.experiment, "runs", store.run, "artifacts", "report.html"))
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", level=1)).to_contain_text("dense")
    expect(report.locator("html[data-drawn=light]")).to_have_count(1)
    expect(report.locator(".view svg, .view canvas").first).to_be_visible()
    screenshots.take(page, "mlflow-report")
    assert not faults.but(*QUIET)


def test_other_peoples_views_and_changes_outlast_a_resume(page: Page, store: Recorded) -> None:
    """A view that somebody saves in MLflow, and a sweep's own view that somebody has replaced by theirs."""
    open_page(page, store.ui.trials)
    table(page, "trial ")
    page.get_by_test_id("saved-views-trigger").click()
    page.get_by_text("Save as new view").click()
    page.get_by_test_id("save-view-name-input").fill("mine")
    page.get_by_test_id("save-view-save-button").click()
    expect(page.get_by_test_id("share-link-input")).to_be_visible()
    mine = page.get_by_test_id("share-link-input").input_value()

    journal = Journal(store.folder)
    journal.append(ev.SweepResumed(changes={}), ev.SweepEnded(reason="all trials ended"))
    journal.close()
    record(store.folder)
    open_page(page, f"{mine}&workflowType=machine_learning")
    expect(page.get_by_test_id("saved-views-trigger")).to_have_text("mine")
    page.get_by_test_id("saved-views-trigger").click()
    for name in ("mine", "Sweep dense", "Sweep other"):
        expect(page.get_by_role("menu").get_by_text(name, exact=True)).to_be_visible()


def test_a_script_without_a_learning_rate(page: Page, store: Recorded, screenshots: Screenshots) -> None:
    """Its own parameters are the columns, among them one that is not in every trial and one of several kinds."""
    space = {
        "kernel": {"choices": ["linear", "rbf"]},
        "gamma": {"low": 0.001, "high": 1.0, "scale": "log", "when": {"kernel": "rbf"}},
        "C": {"low": 1, "high": 9},
        "limit": {"choices": ["none", 10]},
    }
    metric = {"metric": "val_loss + 0.1 * loss", "mode": "min"}
    spec = make_spec(name="a.script", trainable="./train.py:main", num_trials=12, space=space, objective=metric)
    folder = recorded(store.folder.root.path, spec, lambda params, epoch: 1 - params["C"] / epoch, script=True)
    sweep = fold(read_events(folder))
    runs = store.ui.at(read_cursor(folder).experiment_id, "runs")
    view = f"viewStateShareKey=tuner-{sweep.sweep_id}"
    open_page(page, f"{runs}&{view}")
    columns = list(table(page, "trial "))
    names = ["kernel", "gamma", "C", "limit"]
    assert columns[2 : 2 + 7] == ["best_objective", *names, "epochs_trained", "tuner.outcome"]
    screenshots.take(page, "mlflow-script")
    open_page(page, f"{runs}&compareRunsMode=CHART&{view}")
    assert len(lines(card(page, "Parallel Coordinates"))) == 12
