"""What tests in a browser share."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import SCREENSHOTS, Faults, Screenshots, started_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser of one file: Playwright has an event loop in this thread, which other tests could not have then."""
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


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = report.failed
    return report


@pytest.fixture
def page(chromium: Browser, faults: Faults, screenshots: Screenshots, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page, as wide as a good screen. If the test fails, there is a screenshot of it then."""
    page = chromium.new_page(viewport={"width": 1920, "height": 1080})
    faults.watch(page)
    yield page
    if request.node.stash.get(_FAILED, False):
        screenshots.take(page, f"failed-{request.node.name}")
    page.close()
