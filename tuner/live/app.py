"""What the server answers: the list of sweeps, the page of each, and what has changed since."""

from __future__ import annotations

import hashlib
import html
import json
from functools import cache
from importlib.resources import files

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tuner.base.errors import TunerError
from tuner.live.access import Access
from tuner.live.pages import Pages
from tuner.live.root import FollowedRoot
from tuner.report.bundle import vega_script
from tuner.storage import StorageRoot


def live_app(root: StorageRoot, token: str | None, port: int) -> ASGIApp:
    """The pages on the sweeps of a root; arguments as for `Access`."""
    return Access(routed(Live(root)), token, port)


def routed(live: Live) -> ASGIApp:
    """The answers by their paths."""
    routes = [
        Route("/", live.list_page),
        Route("/sweeps", live.rows),
        Route("/sweeps/{name}", live.sweep_page),
        Route("/sweeps/{name}/page", live.changes),
    ]
    return GZipMiddleware(Starlette(routes=routes), minimum_size=2000, compresslevel=3)


class Live:
    """The answers. Each runs in a thread, as it may read a journal."""

    def __init__(self, root: StorageRoot) -> None:
        self.root = FollowedRoot(root)
        self.pages = Pages()

    def list_page(self, request: Request) -> Response:
        """The list; it fetches its rows."""
        return HTMLResponse(_file("list.html").replace("{{ root }}", html.escape(self.root.root.url)))

    def rows(self, request: Request) -> Response:
        """The rows of the list; 304 if they are those that the page has."""
        try:
            text = json.dumps(self.root.rows(), allow_nan=False)
        except TunerError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return _answer(request, hashlib.sha256(text.encode()).hexdigest()[:32], text, "application/json")

    def sweep_page(self, request: Request) -> Response:
        """A sweep's report, which fetches its changes."""
        return self._page(request, is_first=True)

    def changes(self, request: Request) -> Response:
        """The report as it is now, without the script for charts, which the page has; 304 if nothing has changed."""
        return self._page(request)

    def _page(self, request: Request, *, is_first: bool = False) -> Response:
        name = request.path_params["name"]
        try:
            one = self.root.sweep(name)
            page = None if one is None else self.pages.page(one)
        except TunerError as error:
            return _message(str(error), 503)
        except Exception as error:  # a journal that no driver wrote; other pages are shown all the same
            return _message(f"The page of {name} cannot be made: {type(error).__name__}: {error}", 500)
        if one is None:
            return _message(f"There is no sweep {name} in {self.root.root.url}.", 404)
        if page is None:
            return _message(f"The journal of {name} cannot be read: {one.error}", 503)
        digest = hashlib.sha256(page.place.encode()).hexdigest()[:32]
        if is_first:
            return HTMLResponse(_followed(page.html, digest))
        return _answer(request, digest, page.html.replace(vega_script(), "", 1), "text/html")


def _answer(request: Request, digest: str, text: str, kind: str) -> Response:
    tag = f'"{digest}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(text, media_type=kind, headers={"ETag": tag})


def _followed(page: str, digest: str) -> str:
    """A report with the script that keeps it up to date, and may ask the server."""
    page = page.replace("default-src 'none';", "default-src 'none'; connect-src 'self';", 1)
    script = f'<script data-page="{digest}">\n{_file("live.js")}</script>\n'
    head, body, tail = page.rpartition("</body>")
    return f"{head}{script}{body}{tail}"


def _message(text: str, code: int) -> Response:
    return HTMLResponse(_file("message.html").replace("{{ text }}", html.escape(text)), code)


@cache
def _file(name: str) -> str:
    return files("tuner.live").joinpath(name).read_text(encoding="utf-8")
