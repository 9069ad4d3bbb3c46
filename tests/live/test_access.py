"""Who may read live pages."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.live.serving import serving
from tuner.live.access import is_loopback, new_token


def test_on_loopback_pages_are_for_this_machine_s_own_names_only(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        port = server.port
        for host in ("127.0.0.1", f"127.0.0.5:{port}", f"localhost:{port}", "LOCALHOST", "[::1]", "[::1]:80"):
            assert server.get("/sweeps", {"Host": host}).status == 200, host
        for host in (
            "evil.example",
            f"evil.example:{server.port}",
            "127.0.0.1.evil.example",
            "",
            "10.0.0.1",
            "0.0.0.0",
            "localhost:80:80",
        ):
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


@pytest.mark.parametrize(
    "request_bytes",
    [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"],
)
def test_broken_requests_are_refused_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], request_bytes: bytes
) -> None:
    with serving(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(request_bytes)
            assert connection.recv(1000).startswith(b"HTTP/1.1 400")
        for name in ("%00", "%FF", "..", "%2e%2e", "%5C..%5C", "x" * 5000, "a%0Ab", "."):
            assert server.get(f"/sweeps/{name}").status in (403, 404), name
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "::1", "[::1]", "localhost", "LocalHost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)
