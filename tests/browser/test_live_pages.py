"""Live pages in a browser: they follow a journal that grows, without being loaded again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import Faults, Screenshots
from tests.live.serving import serving, without_pauses
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep

pytestmark = pytest.mark.slow(30)

JOURNAL = "document.querySelector('meta[name=tuner-journal]').content"
DRAWN = "document.documentElement.dataset.drawn"


def test_a_page_follows_its_sweep_without_being_loaded_again(
    tmp_path: Path, page: Page, faults: Faults, screenshots: Screenshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pauses(monkeypatch)
    journal = new_sweep(tmp_path, make_spec(num_trials=40))
    noise = random.Random(1)
    cluster = SimulatedCluster(
        coordinator_of(journal), lambda params, epoch: accuracy(params, epoch) + noise.gauss(0.0, 0.002)
    )
    with serving(tmp_path) as server:
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.click("a:text('test')")
        page.wait_for_selector("text=No trial has a usable value yet")
        page.evaluate("window.stays = true")

        _grow(page, cluster, 40)
        assert page.locator(".view svg, .view canvas").count() > 5 and page.evaluate("window.stays")
        first = page.locator("#trials tbody tr").count()
        page.fill("#filter", "constant")
        page.locator("#trials tbody tr:visible").first.click()
        chosen = page.locator("#picked").inner_text()
        scrolled = page.evaluate("scrollY")
        screenshots.take(page, "live-sweep")

        _grow(page, cluster, 60)
        assert page.locator("#trials tbody tr").count() > first and page.evaluate("window.stays")
        assert page.input_value("#filter") == "constant" and page.evaluate("scrollY") == scrolled > 0
        assert page.locator("#picked").inner_text().split()[:2] == chosen.split()[:2]
        assert page.locator("#trials tbody tr:visible").count() < page.locator("#trials tbody tr").count()

        page.set_viewport_size({"width": 390, "height": 800})
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"{DRAWN} === 'dark'")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.click("text=all sweeps")
        page.wait_for_selector("text=running")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        screenshots.take(page, "live-list-narrow-dark")
        journal.close()
        page.wait_for_selector("text=interrupted")
    assert faults.but("ERR_CONNECTION_REFUSED") == []


def _grow(page: Page, cluster: SimulatedCluster, steps: int) -> Any:
    """Lets the sweep train, until the page shows it."""
    before = page.evaluate(JOURNAL)
    cluster.run(steps)
    page.wait_for_function(f"{JOURNAL} !== {before!r} && {DRAWN}")
