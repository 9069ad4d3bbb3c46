"""Debian's Chromium, driven by Playwright: pages that are looked at, what goes wrong on them, and screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, Response, Route, expect, sync_playwright

PATIENCE_MS = 120_000.0
"""For what must appear, on a busy machine."""
expect.set_options(timeout=PATIENCE_MS)
SCREENSHOTS = "TUNER_SCREENSHOTS"
"""The environment variable that names a folder for screenshots; else they lie in pytest's base folder."""


@contextmanager
def started_chromium() -> Iterator[Browser]:
    """A browser without a window; where Chromium is missing, the test is skipped, but on CI it fails."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Screenshots:
    """The folder with a run's screenshots."""

    folder: Path

    def take(self, page: Page, name: str, full_page: bool = False) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.png"
        page.screenshot(path=path, animations="disabled", full_page=full_page)
        return path


@dataclass
class Faults:
    """What went wrong on a page, one line each: its errors and dialogs, failed requests, requests to other hosts."""

    own: tuple[str, ...] = ("127.0.0.1", "")
    """Hosts that a page may ask; files have none."""
    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("dialog", self._dialog)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)
        page.route(lambda url: urlsplit(url).hostname not in (*self.own, None), self._elsewhere)

    def but(self, *expected: str) -> list[str]:
        """Those without any of these texts."""
        return [line for line in self.found if not any(text in line for text in expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:  # its answer says which
            self.found.append(f"console: {message.text}")

    def _dialog(self, dialog: Dialog) -> None:
        self.found.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page went elsewhere meanwhile
            self.found.append(f"failed: {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.found.append(f"{response.status}: {response.url}")

    def _elsewhere(self, route: Route) -> None:
        self.found.append(f"elsewhere: {route.request.url}")
        route.abort()
