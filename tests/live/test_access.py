"""Who may read live pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.serving import serving
from tuner.live.access import is_loopback, new_token


def test_on_loopback_pages_are_for_this_machine_s_own_names_only(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for host in ("127.0.0.1", f"127.0.0.1:{server.port}", f"localhost:{server.port}", "LOCALHOST", "[::1]:80"):
            assert server.get("/sweeps", {"Host": host}).status == 200, host
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "", "localhost:80:80"):
            answer = server.get("/sweeps", {"Host": host})
            assert (answer.status, answer.text[:4]) == (403, "open"), host


def test_elsewhere_nothing_is_answered_without_the_token(tmp_path: Path) -> None:
    token = new_token()
    with serving(tmp_path, token) as server:
        for path in ("/", "/sweeps", "/sweeps/test", "/nothing", f"/?token={token}x", "/?token=", "/?token=%C3%A4"):
            assert server.get(path).status == 403, path
        assert server.get("/", {"Cookie": f"tuner-{server.port}=wrong"}).status == 403
        first = server.get(f"/sweeps/a%20b?token={token}&x=1")
        assert (first.status, first.headers["location"]) == (303, "/sweeps/a%20b?x=1")
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and token in cookie
        kept = {"Cookie": cookie.partition(";")[0], "Host": "any.example"}
        assert server.get("/sweeps", kept).status == 200
        assert server.get(f"//evil.example/?token={token}").headers["location"] == "/evil.example/"


def test_every_answer_forbids_what_pages_do_not_need(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for path in ("/", "/sweeps", "/sweeps/none", "/elsewhere"):
            headers = server.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")
        assert server.get("/", method="POST").status == 405
        assert server.get("/", method="HEAD").text == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "::1", "[::1]", "localhost", "LocalHost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)
