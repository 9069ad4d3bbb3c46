"""Secrets live in the environment of the processes that need them and are never written to disk.

The URI of a tracking store may hold a password. `take_credentials` removes it as soon as the spec is read and puts it
into this process's environment, which child processes inherit. The spec, and everything derived from it, holds only the
address. Code that opens the store combines the two again with `with_credentials`. When a sweep is resumed, the
environment must provide the password: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN,
for a server; PGPASSWORD for PostgreSQL; or the whole URI in MLFLOW_TRACKING_URI for any store.

Code that sends a sweep to another machine uses `shipped(os.environ)`. The `plain` part may be put into a Ray job's
`env_vars`, a manifest or a command line, which others can read. The `secret` part must not: it is sent in a file of
mode 600 over ssh, or as a Kubernetes secret, and is read into the driver's environment there. The spec is sent as
`dump_yaml(spec.resolved())`, which holds no credentials. The user's file might.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

TRACKING_URI = "MLFLOW_TRACKING_URI"

_USER_INFO = re.compile(r"(?<=://)[^/\s'\"]*@")
_SECRET_OPTION = re.compile(
    r"(?<=[?&])(?!sslkey=)([^=&?\s]{0,40}(?:password|pwd|token|secret|key|signature)[^=&?\s]{0,40})=[^&\s'\"]*", re.I
)
_DATABASE_USER = re.compile(r"\b((?:postgresql|mysql|mssql)(?:\+\w+)?://)[^/:@\s]*@")
"""A user name without a password. (For HTTP, a user name without a password may be a token.)"""

_URI = re.compile(r"[A-Za-z][\w+.-]*://[^\s'\",}]+")

_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|ACCESS_KEY|API_KEY|ACCOUNT_KEY|^FSSPEC_\w+_KEY$")
_SECRET_ITEM = re.compile(r'"(?:\w*key|\w*(?:password|token|secret|credential)\w*)"\s*:\s*(?:"([^"]*)")?', re.I)
"""An item of a JSON mapping in a variable, as fsspec reads them: FSSPEC_S3={"key": …, "secret": …}."""
_NEEDED = ("AWS_", "FSSPEC_", "GOOGLE_CLOUD_", "DATABRICKS_", "MLFLOW_TRACKING_", "MLFLOW_HTTP_", "MLFLOW_S3_", "PG")
_OF_ONE_MACHINE = re.compile(
    r"_(FILE|PATH|PROFILE|BUNDLE)$|^PG(PASSFILE|SERVICE|SYSCONF|SSL(CERT|KEY|ROOTCERT))|^AWS_CONTAINER_"
)
NO_CREDENTIALS = "must hold no user, password or token: a spec is copied into the journal and into MLflow"
_HIDDEN_CHARS_MIN = 8
"""Shorter secrets are not redacted: messages may contain the same word for other reasons."""

_ASSIGNED = re.compile(
    r"\b(\w*(?:passw(?:or)?d|pwd|secret|token|credential|access_?key|api_?key|account_?key|private_?key)s?)"
    r"[\"']?\]?\s*(?::\s*\w+\s*)?[:=,]\s*[rbfu]{0,2}[\"']{1,3}([^\s\"']{8,})[\"']",
    re.I,
)
"""A literal assigned to a name that suggests a secret: `API_KEY = "…"`, `{"token": "…"}`, `setenv("DB_PWD", "…")`."""
_KNOWN_FORM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35}\b|\bsk-[A-Za-z0-9_-]{20,}"
    r"|\b(?:gh[pousr]_|hf_|dapi)[A-Za-z0-9]{30,}\b|\b(?:github_pat_|glpat-|xox[abprs]-)[A-Za-z0-9_-]{15,}"
)
"""What the keys of clouds and services look like, wherever they appear."""
_SECRET_FILE = re.compile(
    r"^\.(env|envrc|netrc|pgpass|pypirc|npmrc|htpasswd|aws|boto|git-credentials)\b|^(credentials|secrets?|id_(rsa|dsa|ecdsa|ed25519))(\W|$)"
    r"|\.(pem|key|p12|pfx|jks|keystore|kdbx|env|ppk|gpg|asc)$|service[-_]?account.*\.json$|kubeconfig$"
    r"|(application_default_|client_)(credentials|secrets?).*\.json$",
    re.I,
)
_SECRET_FOLDERS = (".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".gcloud", "gcloud")
_PLACEHOLDER = re.compile(r"[<\[{$%*]|(?:[A-Z0-9]+_)+[A-Z0-9]+$|(.)\1+$")
"""Not a secret: a vocabulary word such as <|endoftext|>, the name of a variable, or stars."""
_TEMPLATE = re.compile(r"(?:\{[^{}\s]*\}:?)+@|(?<=://)git@")
"""User and password placeholders in a URI, and the user `git`, which is no secret."""


@dataclass(frozen=True)
class Shipped:
    """The environment variables that a sweep needs on another machine: settings of storage and tracking."""

    plain: dict[str, str]
    secret: dict[str, str]


def shipped(environ: Mapping[str, str]) -> Shipped:
    """The settings of storage and tracking, except those that name files or profiles of this machine."""
    needed = {name: text for name, text in environ.items() if name.startswith(_NEEDED)}
    needed = {name: text for name, text in needed.items() if not _OF_ONE_MACHINE.search(name)}
    secret = {name: text for name, text in needed.items() if is_secret(name, text)}
    return Shipped({name: text for name, text in needed.items() if name not in secret}, secret)


def is_secret(name: str, text: str) -> bool:
    """Whether an environment variable holds a secret: judged by its name, or by credentials in a URI or a mapping."""
    named = _SECRET_NAME.search(name.upper()) is not None and not _OF_ONE_MACHINE.search(name.upper())
    is_mapping = name.startswith(_NEEDED) and text.lstrip().startswith("{")
    return named or has_credentials(text) or (is_mapping and _SECRET_ITEM.search(text) is not None)


def without_credentials(text: str) -> str:
    """Removes users, passwords and tokens from the URIs in a text, so that it may be written."""
    return _SECRET_OPTION.sub(r"\1=***", _USER_INFO.sub("", text))


def has_credentials(text: str) -> bool:
    """Whether a URI in the text holds a password or a token."""
    without_user = _DATABASE_USER.sub(r"\1", text)
    return "://" in text and without_credentials(without_user) != without_user


def redacted(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Removes the credentials in URIs and the secrets of `environ` from a text."""
    text = without_credentials(text)
    for name, whole in environ.items():
        for secret in (whole, *(_SECRET_ITEM.findall(whole) if "{" in whole else ())):
            if len(secret) >= _HIDDEN_CHARS_MIN and secret in text and is_secret(name, whole):
                text = text.replace(secret, "***")
    return text


def is_secret_file(name: str) -> bool:
    """Whether a path's name, or a folder's in it, is one under which keys and passwords are kept; never of a module."""
    if name.endswith(".py"):
        return False
    return any(_SECRET_FILE.search(part) or part in _SECRET_FOLDERS for part in name.split("/"))


def holds_secret(name: str, text: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a file should not be copied, because of its name or because it holds credentials, a key, or a secret of
    `environ`. Errs on the safe side.
    """
    if _SECRET_FILE.search(name.rpartition("/")[2]) or _KNOWN_FORM.search(text):
        return True
    if any(not _PLACEHOLDER.match(value) for _, value in _ASSIGNED.findall(text)):
        return True
    text = _TEMPLATE.sub("", text)
    return redacted(text, environ) != text


def take_credentials(uri: str, environ: MutableMapping[str, str] = os.environ) -> str:
    """Moves the credentials of a tracking URI into `environ` and returns the address."""
    if not has_credentials(uri):
        return uri
    environ[TRACKING_URI] = uri
    return _address(uri)


def take_all_credentials(text: str, environ: MutableMapping[str, str] = os.environ) -> str:
    """Applies `take_credentials` to every URI in a text."""
    return _URI.sub(lambda found: take_credentials(found[0], environ), text)


def with_credentials(uri: str, environ: Mapping[str, str] = os.environ) -> str:
    """The tracking URI with the credentials that `environ` holds for its address."""
    known = environ.get(TRACKING_URI, "")
    return known if has_credentials(known) and _address(known) == _address(uri) else uri


def unused_address(uri: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """A warning if MLFLOW_TRACKING_URI names another store than `uri` (None: the one in the storage root), else empty.

    Only the spec decides where a sweep is recorded. Otherwise a resume in another shell would record elsewhere.
    """
    named = _address(environ.get(TRACKING_URI, ""))
    if not named or named == (uri and _address(uri)):
        return ""
    where = f"at tracking.uri, {_address(uri)}" if uri else "in the storage root, because the spec has no tracking.uri"
    return f"tracking: {TRACKING_URI} names {named}, but the sweep is recorded {where}"


def _address(uri: str) -> str:
    """A URI without its user, password and secret options."""
    rest, mark, options = _USER_INFO.sub("", uri).partition("?")
    kept = [option for option in options.split("&") if option and not _SECRET_OPTION.search(f"?{option}")]
    return f"{rest}?{'&'.join(kept)}" if mark and kept else rest
