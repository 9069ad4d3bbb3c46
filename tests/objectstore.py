"""A real S3 server on the loopback (the moto project's), and faults between it and whoever asks.

`s3_server` is one server for the whole run; `s3_root` is the URL of an empty bucket's folder, with the environment set
so that this process and its children find it.
"""

from __future__ import annotations

import io
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

KINDS = ("503", "500", "drop", "drop_after")
"""SlowDown, InternalError, a connection cut before the request is done, and one cut after (the answer is lost)."""

_XML = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message><RequestId>1</RequestId></Error>"
_ANSWERS = {
    "503": ("503 Slow Down", "SlowDown", "Please reduce your request rate."),
    "500": ("500 Internal Server Error", "InternalError", "We encountered an internal error. Please try again."),
    "403": ("403 Forbidden", "AccessDenied", "Access Denied"),
}


@dataclass
class Faults:
    """Which requests meet with what; none until asked for.

    Attributes:
        fraction: of the requests.
        kinds: drawn from KINDS, "403", and "hang" (done and answered once the faults are cleared; a write hears a late
            "100 Continue").
        methods: only of these requests.
        delay_s: every request takes so much longer, as on a network.
        count: the faults so far, by kind.
    """

    fraction: float = 0.0
    kinds: tuple[str, ...] = KINDS
    methods: tuple[str, ...] = ("GET", "PUT", "POST", "DELETE", "HEAD")
    delay_s: float = 0.0
    before: Callable[[str, str], None] | None = None
    """Is called with method and path before a request is done."""
    count: dict[str, int] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(7))
    cleared: threading.Event = field(default_factory=threading.Event)

    def draw(self, method: str) -> str | None:
        if method not in self.methods or self.random.random() >= self.fraction:
            return None
        kind = self.random.choice(self.kinds)
        self.count[kind] = self.count.get(kind, 0) + 1
        return kind

    def clear(self) -> None:
        self.cleared.set()
        self.__init__()  # type: ignore[misc]


class S3Server:
    """The server, in threads of this process; `environ` is what a client needs to find it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"  # connections are kept, as a real store keeps them

            def log(self, type: str, message: str, *args: Any) -> None:
                pass

        self.faults = Faults()
        self._app = DomainDispatcherApplication(create_backend_app)
        self._writing = threading.Lock()
        self._server = make_server(host, 0, self, threaded=True, request_handler=Quiet)
        self.url = f"http://{host}:{self._server.server_port}"
        self.environ = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def client(self) -> Any:
        """boto3's, to look behind the back of what is tested."""
        import boto3

        key = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.url, **key)

    def new_root(self) -> str:
        """The URL of an empty folder in a new bucket."""
        bucket = f"bucket-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=bucket)
        return f"s3://{bucket}/sweeps"

    def keys(self, url: str) -> list[str]:
        """Every key below a URL, relative to it."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        return [entry["Key"].removeprefix(f"{prefix}/") for page in pages for entry in page.get("Contents", [])]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        kind = self.faults.draw(method)
        if self.faults.before is not None:
            self.faults.before(method, path)
        time.sleep(self.faults.delay_s)
        if kind == "hang":
            _say_go_on_late(environ)
            self.faults.cleared.wait(60)
        if kind in _ANSWERS:
            status, code, message = _ANSWERS[kind]
            body = _XML.format(code, message).encode() if method != "HEAD" else b""
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        if kind == "drop":
            _cut(environ)
        with self._writing:  # moto looks and writes in two steps; a store does so in one
            answer = list(self._app(environ, start_response))
        if kind == "drop_after":
            _cut(environ)
        return answer


def _say_go_on_late(environ: dict[str, Any]) -> None:
    """Answers a whole write with another "100 Continue", as a server behind a proxy may, which is no answer."""
    if environ["REQUEST_METHOD"] == "PUT":
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        time.sleep(0.1)
        environ["werkzeug.socket"].sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def _cut(environ: dict[str, Any]) -> None:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut by the test")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server for the whole run."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3_root(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty storage root on the S3 server, which has no faults at the test's start and end."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_server.environ.items():
        monkeypatch.setenv(name, value)
    s3_server.faults.clear()
    yield s3_server.new_root()
    s3_server.faults.clear()


@pytest.fixture
def memory_root() -> str:
    """The URL of an empty storage root in this process's memory, for what needs no server and no second process."""
    return f"memory://{uuid.uuid4().hex}/sweeps"
