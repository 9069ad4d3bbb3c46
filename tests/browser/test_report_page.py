"""The page of a report in a real browser: drawn, linked, light, dark and narrow, without a request."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Faults, Screenshots
from tests.report.sweeps import NASTY, found, made, swept
from tuner.report.charts import FIGURES, Tables
from tuner.report.page import page_of
from tuner.sweep import Sweep

pytestmark = [pytest.mark.slow(10), pytest.mark.filterwarnings("ignore")]

NUM_TRIALS = 20


def open_report(page: Page, folder: Path, sweep: Sweep) -> None:
    """Opens the report of a sweep, and waits until all of its figures are drawn."""
    file = folder / "report.html"
    file.write_text(page_of(Tables(sweep, found(sweep)), "finished"))
    page.goto(file.as_uri())
    wait_until_drawn(page, "light")
    empty = "views => views.filter(view => !view.querySelector('svg.marks, canvas')).map(view => view.id)"
    assert page.eval_on_selector_all(".view", empty) == []


def wait_until_drawn(page: Page, scheme: str) -> None:
    expect(page.locator(f"html[data-drawn={scheme}]")).to_have_count(1)


def color(page: Page, css: str) -> str:
    return str(page.eval_on_selector(css, "it => getComputedStyle(it).backgroundColor"))


def test_a_trial_is_shown_everywhere_in_light_and_dark_and_narrow_windows(
    page: Page, tmp_path: Path, faults: Faults, screenshots: Screenshots
) -> None:
    sweep = swept(tmp_path, num_trials=NUM_TRIALS)
    open_report(page, tmp_path, sweep)
    assert all(page.locator(f"#{name}-0").count() == 1 for name in FIGURES)
    screenshots.take(page, "report-light", full_page=True)
    rows, chosen, picked = page.locator("#trials tbody tr"), page.locator("#trials tr.picked"), page.locator("#picked")
    expect(rows).to_have_count(NUM_TRIALS)
    expect(picked).to_be_hidden()

    page.locator("#map-0 path[aria-roledescription=point]").nth(3).dispatch_event("click")
    expect(picked).to_be_visible()
    trial = sweep.trials[int(chosen.get_attribute("data-trial") or -1)]
    expect(picked).to_contain_text(f"trial {trial.number}")
    expect(picked).to_contain_text(f"batch_size {trial.params['batch_size']}")
    reached = sum(trial.epochs_trained >= epoch for epoch in (1, 3, 9, 27))
    expect(page.locator("#rungs-0 path[stroke='#111111']")).to_have_count(reached)
    page.keyboard.press("Escape")
    expect(picked).to_be_hidden()
    expect(chosen).to_have_count(0)

    page.locator("#trials th button", has_text="trial").first.click()
    expect(rows.locator("td:first-child")).to_have_text([str(number) for number in range(NUM_TRIALS)])
    rows.nth(5).click()
    expect(chosen).to_have_attribute("data-trial", "5")
    page.fill("#filter", "exponential stopped")
    kept = [it for it in sweep.trials.values() if it.params["schedule"] == "exponential" and it.state == "stopped"]
    expect(rows.locator("visible=true")).to_have_count(len(kept))
    page.fill("#filter", "")

    light = color(page, "body")
    page.emulate_media(color_scheme="dark")
    wait_until_drawn(page, "dark")
    assert color(page, "body") != light != color(page, "#map-0")
    screenshots.take(page, "report-dark", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screenshots.take(page, "report-narrow", full_page=True)
    assert not faults.found


def test_names_that_hurt_are_text_and_fit_a_narrow_window(page: Page, tmp_path: Path, faults: Faults) -> None:
    long = "x" * 3000
    space = {NASTY: {"low": 0.0, "high": 1.0}, long: {"choices": [NASTY, "a.b[0]", long]}}
    page.set_viewport_size({"width": 390, "height": 844})
    open_report(page, tmp_path, made(8, 3, space, metric=NASTY))
    expect(page.locator("main b, header b, footer b")).to_have_count(0)
    page.locator("#trials tbody td").first.click()
    expect(page.locator("#picked")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not faults.found
