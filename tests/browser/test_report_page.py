"""The page of a report in a real browser: drawn, linked, light, dark and narrow, without a request."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Faults, Screenshots
from tests.browser.histories import simulate
from tests.report.sweeps import NASTY
from tests.simulation import SPACE, make_spec
from tuner.report import report_page
from tuner.storage.journal import read_events
from tuner.sweep import fold

pytestmark = [pytest.mark.slow(15), pytest.mark.filterwarnings("ignore")]

NUM_TRIALS = 40


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = simulate(tmp_path_factory.mktemp("report"), make_spec(num_trials=NUM_TRIALS, space=SPACE))
    path = folder.path / "report.html"
    path.write_text(report_page(fold(read_events(folder)), "finished"))
    return path


def open_report(page: Page, report: Path, scheme: str = "light") -> None:
    """Opens it, and waits until all of its figures are drawn."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(report.as_uri())
    expect(page.locator(f"html[data-drawn={scheme}]")).to_have_count(1)
    empty = "views => views.filter(view => !view.querySelector('svg, canvas')).map(view => view.id)"
    assert page.locator(".view").count() > 5
    assert page.eval_on_selector_all(".view", empty) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_figures_are_drawn(page: Page, report: Path, faults: Faults, screenshots: Screenshots, scheme: str) -> None:
    open_report(page, report, scheme)
    screenshots.take(page, f"report-{scheme}", full_page=True)
    assert not faults.found


def test_they_follow_the_scheme_at_once(page: Page, report: Path, faults: Faults) -> None:
    open_report(page, report)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html[data-drawn=dark]")).to_have_count(1)
    assert not faults.found


def test_a_narrow_window_scrolls_one_way_alone(
    page: Page, report: Path, faults: Faults, screenshots: Screenshots
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_report(page, report)
    screenshots.take(page, "report-narrow", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not faults.found


def test_the_table_shows_a_trial_everywhere_and_filters(page: Page, report: Path, faults: Faults) -> None:
    open_report(page, report)
    rows = page.locator("#trials tbody tr")
    expect(rows).to_have_count(NUM_TRIALS)
    rows.first.click()
    expect(page.locator("#picked")).to_be_visible()
    page.locator("#filter").fill("exponential")
    expect(rows.locator("visible=true")).not_to_have_count(NUM_TRIALS)
    assert rows.locator("visible=true").count() > 0
    assert not faults.found


def test_names_that_are_markup_elsewhere(page: Page, tmp_path: Path, faults: Faults) -> None:
    names = {"choices": [NASTY, "plain"]}
    folder = simulate(tmp_path, make_spec(num_trials=20, space={**SPACE, "kind": names}))
    path = tmp_path / "report.html"
    path.write_text(report_page(fold(read_events(folder)), "finished"))
    open_report(page, path)
    assert not faults.found
