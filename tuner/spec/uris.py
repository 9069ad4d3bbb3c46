"""The URIs that can name a tracking store."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

TRACKING_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
SERVER_SCHEMES = tuple(scheme for scheme in TRACKING_SCHEMES if scheme != "sqlite")
DATABASE_SCHEMES = ("postgresql", "mysql", "mssql")

_SQLITE_FILE = re.compile(r"sqlite(\+\w+)?:///(?!:memory:|file::memory:)[^?](?!.*[?&]mode=memory)")


def has_scheme(uri: str, schemes: tuple[str, ...]) -> bool:
    """Whether a tracking URI has one of these schemes, with or without a driver (`postgresql+psycopg`)."""
    return re.match(rf"({'|'.join(schemes)})(\+\w+)?://?|databricks$", uri) is not None


def listed(schemes: tuple[str, ...]) -> str:
    return ", ".join(f"{scheme}://" for scheme in schemes)


def broken_rule(uri: str) -> str:
    """The rule that a tracking URI breaks; empty if it is valid."""
    if not has_scheme(uri, TRACKING_SCHEMES):
        return f"must start with a scheme that MLflow knows ({listed(TRACKING_SCHEMES)})"
    if uri.startswith("sqlite") and not _SQLITE_FILE.match(uri):
        return "must name a file that all processes share, such as sqlite:////folder/mlflow.db"
    if uri.startswith("http") and not has_host(uri):
        return "must name a host, and its port if it has one, such as http://127.0.0.1:5000"
    return ""


def is_of_this_machine(uri: str) -> bool:
    """Whether a URI's host is the machine that uses it, such as localhost."""
    try:
        return urlsplit(uri).hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:  # not a URI
        return False


def has_host(uri: str) -> bool:
    """Whether a URL names a host, and a valid port if any."""
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number
        return False
