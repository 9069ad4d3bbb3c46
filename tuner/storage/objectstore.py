"""Object stores (s3://, gs://) as paths: how to open them, and which of their errors are worth a retry.

Settings are the store's usual ones: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL or a profile
for s3; GOOGLE_APPLICATION_CREDENTIALS or the machine's own account for gs.
"""

from __future__ import annotations

import asyncio
import difflib
import errno
import importlib.util
import logging
import os
import random
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from tuner.base.errors import ForeignFileError, StorageError, UsageError
from tuner.base.secrets import has_credentials, redacted, without_credentials

if TYPE_CHECKING:
    from upath import UPath

RETRY_S = 60.0
"""Temporary errors (503, 500, a timeout, a cut connection) are retried for this long."""
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 15
SLOWEST_WRITE_BYTES_S = 64 << 10
"""A write that takes longer than at this speed, by more than both timeouts together, is given up as hanging."""

_SCHEMES = ("s3", "gs", "memory")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0
_PASSING_ERRNO = {errno.EBUSY, errno.EREMOTEIO, errno.ETIMEDOUT, errno.ECONNRESET, errno.EPIPE, errno.ECONNREFUSED}
_PASSING_STATUS = {408, 409, 429}
_PASSING_NAMES = {
    "EndpointConnectionError", "ConnectTimeoutError", "HTTPClientError", "ConnectionError", "ResponseParserError",
    "ClientError", "IncompleteRead", "RequestException", "FSTimeoutError", "ChecksumError",
}  # fmt: skip
"""Errors of botocore, aiohttp, requests and fsspec, by name, so that none of them needs to be imported."""

_T = TypeVar("_T")
Kind = Literal["missing", "exists", "passing", "final"]


def is_url(storage: str) -> bool:
    """Whether a storage root looks like a URL, even a misspelt one: `s3:/bucket` is not a folder."""
    return "://" in storage or re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", storage) is not None


def open_url(url: str) -> UPath:
    """The path for the URL of an object store.

    Raises:
        UsageError: unknown scheme, no bucket, or its package is not installed; the message says what to do.
    """
    if has_credentials(url):
        keys = "give keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or in a profile"
        raise UsageError(f"storage: must hold no user, password or key: {keys}, but got {without_credentials(url)!r}")
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES:
        near = difflib.get_close_matches(scheme.partition(":")[0], _SCHEMES[:2], 1, 0.5)
        meant = f"; did you mean {near[0]}://?" if near else ""
        raise UsageError(f"storage: must be a folder, s3://BUCKET/… or gs://BUCKET/…, but got {url!r}{meant}")
    if not re.match(r"[^/\s]+(/|$)", rest):
        raise UsageError(f"storage: must name a bucket, as in {scheme}://BUCKET/…, but got {url!r}")
    if strange_parts(rest.rstrip("/")):
        raise UsageError(f"storage: must have no empty part, no . and no .. between its slashes, but got {url!r}")
    if any(character in rest for character in "*?[]#\\"):
        raise UsageError(f"storage: must be without any of * ? [ ] # \\, but got {url!r}")
    if scheme == "gs" and importlib.util.find_spec("gcsfs") is None:
        raise UsageError(f"storage: gs:// needs gcsfs, which `pip install 'tuner[gs]'` installs, but got {url!r}")
    from upath import UPath

    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it logs a traceback for each error
    path: UPath = UPath(f"{scheme}://{rest.rstrip('/')}", **_options(scheme))
    return path


def attempt(path: UPath, what: str, operation: Callable[[Any], _T], retry_s: float | None = None) -> _T:
    """Runs an operation on a path's file system, and retries it after temporary errors.

    Args:
        path: for the message.
        what: read, written, listed or deleted, for the message.
        operation: takes the fsspec file system; must be safe to repeat.
        retry_s: no attempt starts after this many seconds (default: RETRY_S).

    Raises:
        FileNotFoundError, FileExistsError: the object is missing, or already exists.
        ForeignFileError: the path has parts that no key of a sweep has; no request was made.
        StorageError: the store refused for good, or until the time was up.
    """
    if strange_parts(path.path.strip("/")):
        raise ForeignFileError(
            f"{path}: cannot be the key of a sweep, because it has empty parts, . or ..; it was not {what}"
        )
    until = time.monotonic() + (RETRY_S if retry_s is None else retry_s)
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            fs = path.fs
            if fs.protocol[0] == "s3":
                fs.retries = 1  # no retries of its own; all are made here, within one time limit
            return operation(fs)
        except Exception as error:
            kind = kind_of(error)
            if kind == "missing":
                raise FileNotFoundError(errno.ENOENT, "no such object", str(path)) from error
            if kind == "exists":
                raise FileExistsError(errno.EEXIST, "the object exists", str(path)) from error
            if kind == "final" or time.monotonic() + wait_s > until:
                raise refused(path, what, error) from error
        time.sleep(wait_s * random.uniform(0.5, 1.0))
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def strange_parts(key: str) -> bool:
    """Whether a key has empty parts, `.` or `..`: some clients and proxies resolve them."""
    return not {"", ".", ".."}.isdisjoint(key.split("/"))


def name_in(folder: UPath, listed: str) -> str | None:
    """The name of an item in a folder's listing; None if it is not directly in the folder, as for `a//b`."""
    prefix, path = f"{folder.path.lstrip('/')}/", listed.lstrip("/").removesuffix("/")
    name = path.removeprefix(prefix)
    return None if not path.startswith(prefix) or "/" in name or strange_parts(name) else name


def objects_in(folder: UPath) -> dict[str, int]:
    """The objects directly in a folder: name -> size in bytes.

    Raises:
        StorageError: it cannot be listed.
    """
    try:
        found = attempt(folder, "listed", lambda fs: fs.ls(folder.path, detail=True))
    except FileNotFoundError:
        return {}
    sizes = {name_in(folder, entry["name"]): int(entry["size"] or 0) for entry in found if entry["type"] == "file"}
    return {name: size for name, size in sizes.items() if name is not None}


def put(
    path: UPath, data: bytes, retry_s: float | None = None, *, mode: Literal["overwrite", "create"] = "overwrite"
) -> None:
    """Writes an object, in bounded time.

    The client's read timeout starts when everything was sent, but a late "100 Continue" cancels it for good (aiohttp).
    So a write has its own time limit.

    Args:
        mode: "create" refuses to overwrite an object.

    Raises:
        FileExistsError, StorageError: see `attempt`.
    """

    def write(fs: Any) -> None:
        bound_s = CONNECT_TIMEOUT_S + READ_TIMEOUT_S + len(data) / SLOWEST_WRITE_BYTES_S
        fs.pipe_file(path.path, data, mode=mode, **({"timeout": bound_s} if fs.async_impl else {}))

    attempt(path, "written", write, retry_s)


def put_new(path: UPath, data: bytes, retry_s: float | None = None) -> None:
    """Writes a new object; of several writers exactly one succeeds.

    A write whose answer was lost is repeated. It then finds its own object, which is not a conflict.

    Raises:
        FileExistsError: another writer was first.
        StorageError: the store refused.
    """
    try:
        put(path, data, retry_s, mode="create")
    except FileExistsError:
        if attempt(path, "read", lambda fs: fs.cat_file(path.path), retry_s) != data:
            raise
    except FileNotFoundError as error:
        raise refused(path, "written", error) from error


def read_many(folder: UPath, names: Iterable[str], retry_s: float | None = None) -> dict[str, bytes]:
    """The content of objects by name, read in parallel; missing objects are left out.

    Raises:
        StorageError: the store refused. Retries do not repeat reads that succeeded.
    """
    wanted = {f"{folder.path}/{name}": name for name in names}
    contents: dict[str, bytes] = {}

    def read(fs: Any) -> None:
        found: dict[str, bytes | Exception] = fs.cat(sorted(wanted), on_error="return") if wanted else {}
        failed = None
        for path, content in found.items():
            if not isinstance(content, Exception):
                contents[wanted.pop(path)] = bytes(content)
            elif kind_of(content) == "missing":
                del wanted[path]
            else:
                failed = content
        if failed is not None:
            raise failed

    attempt(folder, "read", read, retry_s)
    return contents


def kind_of(error: BaseException) -> Kind:
    """The kind of an error of an fsspec file system: missing, exists, passing (worth a retry) or final."""
    cause = error.__cause__ or error
    response = getattr(cause, "response", None)
    response = response if isinstance(response, dict) else {}
    code = response.get("Error", {}).get("Code", "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode") or getattr(cause, "code", None)
    if isinstance(error, FileExistsError) or code == "PreconditionFailed":
        return "exists"
    if isinstance(error, FileNotFoundError):
        return "final" if code == "NoSuchBucket" else "missing"
    if isinstance(error, PermissionError):
        return "final"
    if isinstance(status, int | str) and str(status).isdigit():
        return "passing" if int(status) in _PASSING_STATUS or int(status) >= 500 else "final"
    if isinstance(error, TimeoutError | ConnectionError | asyncio.TimeoutError):
        return "passing"
    if isinstance(error, OSError) and error.errno in _PASSING_ERRNO:
        return "passing"
    return "passing" if _PASSING_NAMES & {base.__name__ for base in type(cause).__mro__} else "final"


def refused(path: UPath, what: str, error: BaseException) -> StorageError:
    """The error for a request that a store refused."""
    code = ""
    response = getattr(error.__cause__ or error, "response", None)
    if isinstance(response, dict):
        code = str(response.get("Error", {}).get("Code", ""))
    text = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())
    named = f"{code}: {text}" if code and code not in text else text
    return StorageError(f"{path}: cannot be {what}: {redacted(named)}; nothing acknowledged is lost")


def _options(scheme: str) -> dict[str, Any]:
    """Options for fsspec: no cached listings (others write, too), timeouts, one request for a small object."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        options["max_concurrency"] = 1  # otherwise each read first requests the size
        options["endpoint_url"] = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        options["config_kwargs"] = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retries": {"total_max_attempts": 1},
        }
        if "AWS_REGION" in os.environ and "AWS_DEFAULT_REGION" not in os.environ:
            options["client_kwargs"] = {"region_name": os.environ["AWS_REGION"]}
    return options if scheme != "memory" else {}
