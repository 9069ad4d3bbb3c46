"""Who may read the pages: on loopback this machine, by the Host header; elsewhere whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';"
        " img-src data: blob:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer. Vega compiles its expressions, hence unsafe-eval."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on a host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def new_token() -> str:
    """A token that nobody guesses, for a URL."""
    return secrets.token_urlsafe(32)


class Access:
    """Answers requests that may be answered, and refuses all others.

    Args:
        token: the token that a request must have, as `?token=` or in a cookie; None on loopback.
        port: the port of the server, which keeps the cookies of several servers on a host apart.
    """

    def __init__(self, app: ASGIApp, token: str | None, port: int) -> None:
        self._app, self._token, self._cookie = app, token, f"tuner-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), text.encode()) for name, text in HEADERS.items()]
            await send(message)

        answer = self._answer(Request(scope))
        await (answer or self._app)(scope, receive, with_headers)

    def _answer(self, request: Request) -> Response | None:
        """What to answer instead of a page; None if the request may go on."""
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("these pages are only read\n", 405)
        if self._token is None:
            if is_loopback(host_name(request.headers)):
                return None  # any other name was made to point here by a foreign page (DNS rebinding)
            return PlainTextResponse("open this page as http://127.0.0.1 or http://localhost\n", 403)
        if (given := request.query_params.get("token")) is not None and self._is_right(given):
            return self._with_cookie(request, given)
        if self._is_right(request.cookies.get(self._cookie, "")):
            return None
        return PlainTextResponse("open the address that `tuner ui --live` printed, with its token\n", 403)

    def _is_right(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def _with_cookie(self, request: Request, token: str) -> Response:
        """The same page at an address without the token, which a history or a screenshot would show."""
        kept = [(name, value) for name, value in parse_qsl(request.url.query) if name != "token"]
        path = "/" + request.scope["raw_path"].decode("ascii").lstrip("/")  # `//host` would lead elsewhere
        answer = RedirectResponse(path + ("?" + urlencode(kept) if kept else ""), 303)
        answer.set_cookie(self._cookie, token, httponly=True, samesite="lax", path="/")
        return answer


def host_name(headers: Headers) -> str:
    """The name in a Host header, without its port."""
    host = headers.get("host", "").lower()
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdecimal() else host
