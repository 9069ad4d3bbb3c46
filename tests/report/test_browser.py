"""The page in a real browser: all is drawn and linked, nothing is fetched, and it fits dark and narrow windows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.sweeps import NASTY, found, made, swept
from tuner.report.charts import FIGURES, Tables
from tuner.report.page import page_of

CHROMIUM = shutil.which("chromium")
DRAWN = "document.documentElement.dataset.drawn"
pytestmark = [
    pytest.mark.slow(20),
    pytest.mark.skipif(CHROMIUM is None and os.environ.get("CI") != "true", reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


class Seen:
    """A page in a window, with what it has complained of and asked for."""

    def __init__(self, browser: Any, file: Path, **window: Any) -> None:
        self.context = browser.new_context(**window)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.wait_for(f"{DRAWN} !== undefined && {DRAWN} !== ''")

    def wait_for(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=120_000)

    def fetched(self) -> list[str]:
        return [url for url in self.requests[1:] if not url.startswith(("data:", "blob:"))]

    def overflow_px(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def color(self, css: str, name: str) -> str:
        return str(self.page.eval_on_selector(css, f"it => getComputedStyle(it).{name}"))


def test_a_click_on_a_trial_shows_it_in_all_figures(browser: Any, tmp_path: Path) -> None:
    sweep = swept(tmp_path, num_trials=12)
    file = tmp_path / "page.html"
    file.write_text(page_of(Tables(sweep, found(sweep)), "finished"))
    seen = Seen(browser, file, viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = seen.page
    for name in FIGURES:
        assert page.locator(f"#{name}-0 svg.marks, #{name}-0 canvas").count() == 1, name
    assert page.locator("#trials tbody tr").count() == 12 and page.locator("#picked").is_hidden()

    page.locator("#map-0 path[aria-roledescription=point]").nth(3).dispatch_event("click")
    page.locator("#picked").wait_for(state="visible")
    row = page.locator("#trials tr.picked")
    trial = int(row.get_attribute("data-trial"))
    assert f"trial {trial}" in page.locator("#picked").inner_text()
    assert f"{sweep.trials[trial].params['batch_size']}" in page.locator("#picked").inner_text()
    ringed = page.locator("#rungs-0 path[stroke='#111111']")
    ringed.first.wait_for(state="attached")
    assert ringed.count() == sum(1 for epoch in (1, 3, 9, 27) if sweep.trials[trial].epochs_trained >= epoch)
    page.keyboard.press("Escape")
    assert page.locator("#picked").is_hidden() and page.locator("tr.picked").count() == 0

    page.locator("#trials th button", has_text="trial").first.click()
    first = page.locator("#trials tbody tr td:first-child")
    assert first.all_inner_texts() == [str(number) for number in range(12)]
    first.nth(5).click()
    assert page.locator("#trials tr.picked").get_attribute("data-trial") == "5"
    page.fill("#filter", "exponential stopped")
    expected = [it for it in sweep.trials.values() if it.params["schedule"] == "exponential" and it.state == "stopped"]
    assert page.locator("#trials tbody tr:visible").count() == len(expected)

    light = seen.color("body", "backgroundColor")
    page.emulate_media(color_scheme="dark")
    seen.wait_for(f"{DRAWN} === 'dark'")
    assert seen.color("body", "backgroundColor") != light and seen.color("#map-0", "backgroundColor") != light
    assert seen.fetched() == [] and seen.complaints == []


def test_names_that_hurt_fit_a_narrow_window(browser: Any, tmp_path: Path) -> None:
    long = "x" * 3000
    space = {NASTY: {"low": 0.0, "high": 1.0}, long: {"choices": [NASTY, "a.b[0]", long]}}
    sweep = made(8, 3, space, metric=NASTY)
    file = tmp_path / "page.html"
    file.write_text(page_of(Tables(sweep, found(sweep)), "finished"))
    seen = Seen(browser, file, viewport={"width": 390, "height": 800})
    assert seen.overflow_px() <= 0 and seen.page.locator("body b").count() == 0
    seen.page.locator("#trials tbody td").first.click()
    assert seen.page.locator("#picked").is_visible() and seen.overflow_px() <= 0
    assert seen.fetched() == [] and seen.complaints == []
