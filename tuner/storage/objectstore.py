"""Object stores (s3://, gs://) as paths: how they are opened, and which of their faults are worth a second attempt.

Settings are the store's own: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL or a profile for
s3; GOOGLE_APPLICATION_CREDENTIALS or the machine's own account for gs.
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
"""A fault that may pass (503, 500, a timeout, a cut connection) is met with further attempts for so long."""
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 15
SLOWEST_WRITE_BYTES_S = 64 << 10
"""A write that is slower by more than both timeouts together hangs, and is given up."""

_SCHEMES = ("s3", "gs", "memory")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0
_PASSING_ERRNO = {errno.EBUSY, errno.EREMOTEIO, errno.ETIMEDOUT, errno.ECONNRESET, errno.EPIPE, errno.ECONNREFUSED}
_PASSING_STATUS = {408, 409, 429}
_PASSING_NAMES = {
    "EndpointConnectionError", "ConnectTimeoutError", "HTTPClientError", "ConnectionError", "ResponseParserError",
    "ClientError", "IncompleteRead", "RequestException", "FSTimeoutError", "ChecksumError",
}  # fmt: skip
"""Of botocore, aiohttp, requests and fsspec, by name, so that none of them is imported for this."""

_T = TypeVar("_T")
Kind = Literal["missing", "exists", "passing", "final"]


def is_url(storage: str) -> bool:
    """Whether a storage root is meant to be in an object store, rightly written or not: `s3:/bucket` is no folder."""
    return "://" in storage or re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", storage) is not None


def open_url(url: str) -> UPath:
    """The path of an object store's URL.

    Raises:
        UsageError: no such scheme, no bucket, or what speaks to it is not installed; the message has the way on.
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

    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # of each fault it logs the traceback
    path: UPath = UPath(f"{scheme}://{rest.rstrip('/')}", **_options(scheme))
    return path


def attempt(path: UPath, what: str, operation: Callable[[Any], _T], retry_s: float | None = None) -> _T:
    """Does something with a path's file system, again and again while its faults may pass.

    Args:
        path: where, for the message.
        what: read, written, listed or deleted.
        operation: takes the fsspec file system; must be safe to repeat.
        retry_s: no attempt begins after so many seconds (RETRY_S).

    Raises:
        FileNotFoundError, FileExistsError: the object is missing, or there already.
        ForeignFileError: no key of ours has parts like those of this path; nothing was asked for.
        StorageError: the store refused for good, or for all that time.
    """
    if strange_parts(path.path.strip("/")):
        raise ForeignFileError(f"{path}: is no key of a sweep's, as it has empty parts, . or ..; it is not {what}")
    until = time.monotonic() + (RETRY_S if retry_s is None else retry_s)
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            fs = path.fs
            if fs.protocol[0] == "s3":
                fs.retries = 1  # its own attempts; they are all made here, within one bound
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
    """Whether a key has parts that a folder's path could not have: some clients and proxies resolve `..` and `//`."""
    return not {"", ".", ".."}.isdisjoint(key.split("/"))


def name_in(folder: UPath, listed: str) -> str | None:
    """The name of what a listing of a folder shows; None if it is not right in that folder, as of `a//b`."""
    prefix, path = f"{folder.path.lstrip('/')}/", listed.lstrip("/").removesuffix("/")
    name = path.removeprefix(prefix)
    return None if not path.startswith(prefix) or "/" in name or strange_parts(name) else name


def objects_in(folder: UPath) -> dict[str, int]:
    """The objects right in a folder, by name, with their sizes; none if there are none.

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

    The store's client counts its read timeout from the end of what it sent, but a late "100 Continue" ends that count
    for good (aiohttp), so a write has a bound of its own.

    Args:
        mode: "create" refuses to write over another object.

    Raises:
        FileExistsError, StorageError: see `attempt`.
    """

    def write(fs: Any) -> None:
        bound_s = CONNECT_TIMEOUT_S + READ_TIMEOUT_S + len(data) / SLOWEST_WRITE_BYTES_S
        fs.pipe_file(path.path, data, mode=mode, **({"timeout": bound_s} if fs.async_impl else {}))

    attempt(path, "written", write, retry_s)


def put_new(path: UPath, data: bytes, retry_s: float | None = None) -> None:
    """Writes an object that must not be there yet; of several writers exactly one succeeds.

    A write whose answer was lost is repeated and then finds its own object, which is no conflict.

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
    """The content of objects by name, read at the same time; without those that are missing.

    Raises:
        StorageError: the store refused; what it gave already is not asked for again before that.
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
    """What an error of an fsspec file system means: missing, exists, passing (try again) or final."""
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
    """The one line for what a store did not do."""
    code = ""
    response = getattr(error.__cause__ or error, "response", None)
    if isinstance(response, dict):
        code = str(response.get("Error", {}).get("Code", ""))
    text = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())
    named = f"{code}: {text}" if code and code not in text else text
    return StorageError(f"{path}: cannot be {what}: {redacted(named)}; nothing acknowledged is lost")


def _options(scheme: str) -> dict[str, Any]:
    """What fsspec gets: no cached listings (others write, too), bounded waits, one request a small object."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        options["max_concurrency"] = 1  # else each read asks for the size first
        options["endpoint_url"] = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        options["config_kwargs"] = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retries": {"total_max_attempts": 1},
        }
        if "AWS_REGION" in os.environ and "AWS_DEFAULT_REGION" not in os.environ:
            options["client_kwargs"] = {"region_name": os.environ["AWS_REGION"]}
    return options if scheme != "memory" else {}
