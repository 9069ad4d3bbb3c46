"""Data in a bucket or on a web server: URLs as files of this machine, downloaded once however many processes ask."""

from __future__ import annotations

import difflib
import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from trainables import downloads
from trainables.contract import DataError

SCHEMES = ("s3", "gs")
WEB_SCHEMES = ("https", "http")
"""Of single files."""
_VERSION_KEYS = ("ETag", "etag", "generation", "LastModified", "size")
"""What object stores say of an object that changes when it is written anew."""


def is_url(data: str) -> bool:
    return "://" in data


def local_copy(url: str) -> Path:
    """The file, or the folder, that a URL names, as it lies in this machine's cache: $XDG_CACHE_HOME/tuner/data.

    The first process on a machine downloads it, and others wait for that one. What was written anew there is
    downloaded anew, beside the older copy. Credentials are those of the environment. All copies together have at most
    $TUNER_CACHE_BYTES, as far as running processes do not use more.

    Raises:
        DataError: no such object, no access, or no such scheme.
    """
    from filelock import FileLock

    try:
        fs = _file_system(url)
        path, objects = _objects(fs, url)
        if not objects:
            raise FileNotFoundError("there is no such object")
        folder = _cache() / _key(url, objects)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                downloads.remove_partial(folder)
                downloads.make_room(folder.parent, sum(int(info.get("size") or 0) for info in objects.values()))
                _download(fs, path, list(objects), folder)
            downloads.hold(folder)
    except DataError:
        raise
    except Exception as error:  # each store has its own kinds, none of which is a base of all
        told = error.__cause__ if str(error) == url and error.__cause__ is not None else error  # of fsspec
        reason = " ".join(str(told).split())[:300] or type(told).__name__
        raise DataError(f"{url}: cannot be read: {reason}") from error
    return folder / _name(path) if list(objects) == [path] else folder


def version(url: str) -> str:
    """Names the version of what a URL holds, as the store tells it; nothing is downloaded.

    Raises:
        DataError: as `local_copy`.
    """
    try:
        _, objects = _objects(_file_system(url), url)
    except DataError:
        raise
    except Exception as error:  # as in `local_copy`
        raise DataError(f"{url}: cannot be read: {type(error).__name__}") from error
    if not objects:
        raise DataError(f"{url}: there is no such object")
    return _key(url, objects)


def _objects(fs: Any, url: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """What the file system calls a URL, and the objects that it names."""
    if url.startswith(tuple(f"{scheme}://" for scheme in WEB_SCHEMES)):
        return url, {url: fs.info(url)}
    path = url.partition("://")[2].rstrip("/")
    return path, fs.find(path, detail=True)


def _file_system(url: str) -> Any:
    scheme, _, rest = url.partition("://")
    if scheme not in (*SCHEMES, *WEB_SCHEMES):
        near = difflib.get_close_matches(scheme, SCHEMES, 1, 0.5)
        hint = f"; did you mean {near[0]}://?" if near else ""
        raise DataError(f"{url}: must start with {', '.join(f'{known}://' for known in SCHEMES)} or https://{hint}")
    if not rest.partition("/")[2].strip("/"):
        raise DataError(f"{url}: must name an object in a bucket, as in {scheme}://BUCKET/data.npz")
    import fsspec

    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # of each fault it logs the traceback
    try:
        # fsspec would keep the first one for good, with the credentials of that moment.
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
    except ImportError as error:
        raise DataError(f"{url}: needs what `pip install 'tuner[{scheme}]'` installs: {error}") from error


def _cache() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tuner" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _key(url: str, objects: dict[str, dict[str, Any]]) -> str:
    """Names one version of what a URL holds."""
    versions = [[name, *(str(objects[name].get(key)) for key in _VERSION_KEYS)] for name in sorted(objects)]
    store = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return hashlib.sha256(repr([store, url.rstrip("/"), versions]).encode()).hexdigest()[:24]


def _download(fs: Any, path: str, names: list[str], folder: Path) -> None:
    """Into a folder that appears when it is complete, with what is within the URL below it."""
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        targets = [partial / (name[len(path) :].lstrip("/") or _name(path)) for name in names]
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        fs.get(names, [str(target) for target in targets])
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _name(path: str) -> str:
    return path.partition("?")[0].rsplit("/", 1)[-1]
