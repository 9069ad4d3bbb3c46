"""A live server in this process, and what asks it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tuner.live import followed, pages, root
from tuner.live.access import Access
from tuner.live.app import Live, routed
from tuner.live.serving import configured, listen
from tuner.storage import StorageRoot


@dataclass
class Answer:
    """A response: header names in lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def tag(self) -> dict[str, str]:
        """What a page that has this answer asks with."""
        return {"If-None-Match": self.headers["etag"]}


@dataclass
class Server:
    """A running server; `live` has its counters."""

    port: int
    live: Live

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            found = {name.lower(): text for name, text in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()


@contextmanager
def serving(path: Path, token: str | None = None) -> Iterator[Server]:
    """A server on the sweeps in a folder, on a free port of loopback."""
    live = Live(StorageRoot(path))
    with listen("127.0.0.1", 0, print) as listening:
        port = listening.getsockname()[1]
        server = uvicorn.Server(configured(Access(routed(live), token, port)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Server(port, live)
        finally:
            server.should_exit = True
            thread.join()


def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request looks at the journals, and makes a page again if it has changed."""
    for module, name in ((followed, "LOOK_S"), (root, "LOOK_S"), (pages, "PAUSE_S")):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(pages, "SHARE", 1.0)
