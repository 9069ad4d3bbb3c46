"""What tests in a browser share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import SCREENSHOTS, Faults, Screenshots, started_chromium


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with started_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Screenshots:
    """Each run's pictures of the pages, for people to look at: see CONTRIBUTING.md."""
    named = os.environ.get(SCREENSHOTS)
    return Screenshots(Path(named) if named else tmp_path_factory.getbasetemp() / "screenshots")


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def page(chromium: Browser, faults: Faults) -> Iterator[Page]:
    """An empty page, as wide as a good screen."""
    page = chromium.new_page(viewport={"width": 1920, "height": 1080})
    faults.watch(page)
    yield page
    page.close()
