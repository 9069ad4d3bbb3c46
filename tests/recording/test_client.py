"""What all readers of a tracking store share."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.base.errors import TrackingError
from tuner.recording import Cursor, client


class Page(list[int]):
    token: str | None = None


class Store:
    """A search as MLflow's client offers it, over the numbers below `total`."""

    def __init__(self, total: int) -> None:
        self.total, self.requests = total, 0

    def search(self, what: str, *, max_results: int, page_token: str | None, order: str) -> Page:
        assert (what, order) == ("runs", "newest first")
        self.requests += 1
        first = int(page_token or 0)
        page = Page(range(first, min(first + max_results, self.total)))
        page.token = str(first + max_results) if first + max_results < self.total else None
        return page


@pytest.mark.parametrize(("total", "num_pages"), [(0, 1), (1, 1), (3, 1), (4, 2), (10, 4)])
def test_every_page_of_a_search_is_read_once(monkeypatch: pytest.MonkeyPatch, total: int, num_pages: int) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 3)
    store = Store(total)
    assert list(client.found_by(store.search, "runs", order="newest first")) == list(range(total))
    assert store.requests == num_pages


def test_pages_that_nobody_needs_are_not_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 3)
    store = Store(10)
    assert next(client.found_by(store.search, "runs", order="newest first")) == 0 and store.requests == 1


def test_any_error_of_a_store_becomes_one_line_and_ours_stay() -> None:
    def fail(error: Exception) -> Any:
        with client.as_tracking_errors("http://me:secret@host"):
            raise error

    with pytest.raises(TrackingError, match="it refuses connections") as caught:
        fail(OSError("Connection refused\nby the host"))
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)
    ours = TrackingError("experiment 'a' is gone")
    with pytest.raises(TrackingError) as caught:
        fail(ours)
    assert caught.value is ours


def test_the_backlog_is_what_the_cursor_has_not_reached() -> None:
    assert Cursor(seq=3).backlog(10) == 7 and Cursor().backlog(0) == 0
    assert Cursor(seq=9).backlog(4) == 0  # of a journal that was cut, or of another one
