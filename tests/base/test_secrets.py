"""What is a secret, and how it goes from a URI into the environment and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.base.secrets import (
    has_credentials,
    is_secret,
    redacted,
    shipped,
    take_credentials,
    unused_address,
    with_credentials,
    without_credentials,
)

WORDS = st.text("abcXYZ019-_.%~+!$", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("https://me:secret@host:5000/a", "https://host:5000/a"),
        ("postgresql://me:p@ss@host/db", "postgresql://host/db"),
        ("cannot reach 'https://token@host/x' now", "cannot reach 'https://host/x' now"),
        ("mysql://host/db?user=me&password=secret&ssl=1", "mysql://host/db?user=me&password=***&ssl=1"),
        ("https://host/data.npz?X-Amz-Signature=0abc", "https://host/data.npz?X-Amz-Signature=***"),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
    ],
)
def test_credentials_are_never_written(text: str, public: str) -> None:
    assert without_credentials(text) == public
    assert has_credentials(text) == (text != public)


def test_a_databases_user_alone_is_no_secret() -> None:
    assert not has_credentials("postgresql+psycopg2://me@host/db?sslkey=client.key")
    assert has_credentials("postgresql+psycopg2://me:secret@host/db")
    assert has_credentials("https://token@host")


@given(
    st.sampled_from(["http", "https", "postgresql", "postgresql+psycopg2", "mysql+pymysql"]),
    WORDS,
    WORDS,
    st.sampled_from(["", "/db", "/db?connect_timeout=5", "/db?password=0xSECRET&connect_timeout=5"]),
)
def test_the_environment_gives_back_what_it_took(scheme: str, user: str, password: str, rest: str) -> None:
    environ: dict[str, str] = {}
    uri = f"{scheme}://{user}:{password}@host:5000{rest}"
    public = take_credentials(uri, environ)
    assert not has_credentials(public) and public.startswith(f"{scheme}://host:5000") and "SECRET" not in public
    assert with_credentials(public, environ) == uri
    assert with_credentials("http://elsewhere:5000", environ) == "http://elsewhere:5000"
    assert take_credentials(public, environ) == public and with_credentials(public, {}) == public


def test_a_store_that_the_environment_alone_names_is_told() -> None:
    environ = {"MLFLOW_TRACKING_URI": "http://anna:secret@mlflow.example:5000"}
    assert unused_address("http://mlflow.example:5000", environ) == unused_address(None, {}) == ""
    told = unused_address(None, environ)
    assert told == (
        "tracking: MLFLOW_TRACKING_URI names http://mlflow.example:5000, but the sweep is recorded in the storage "
        "root, because the spec has no tracking.uri"
    )
    assert unused_address("sqlite:////runs/mlflow.db", environ).endswith("at tracking.uri, sqlite:////runs/mlflow.db")


def test_the_environments_secrets_are_hidden_in_any_text() -> None:
    environ = {
        "MLFLOW_TRACKING_PASSWORD": "correct horse",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        "AWS_REGION": "eu-central-1",
        "SHORT_TOKEN": "test",
        "AWS_ENDPOINT_URL": "http://me:battery@store",
        "FSSPEC_S3": '{"anon": false, "secret": "staple-of-s3"}',
    }
    text = "a test in eu-central-1 by 'correct horse' with wJalrXUtnFEMI, staple-of-s3 at http://me:battery@store/key"
    assert redacted(text, environ) == "a test in eu-central-1 by '***' with ***, *** at http://store/key"


@pytest.mark.parametrize(
    ("name", "text", "is_hidden"),
    [
        ("FSSPEC_S3", '{"key": "AKIA1", "secret": "wJalr"}', True),
        ("FSSPEC_S3", '{"client_kwargs": {"aws_secret_access_key": "wJalr"}}', True),
        ("FSSPEC_GS", '{"token": {"type": "service_account", "private_key": "-----BEGIN"}}', True),
        ("FSSPEC_S3_KEY", "AKIA1", True),
        ("FSSPEC_S3", '{"anon": true, "client_kwargs": {"endpoint_url": "http://store:9000"}}', False),
        ("FSSPEC_S3_ANON", "true", False),
    ],
)
def test_fsspec_s_own_settings_may_hold_keys(name: str, text: str, is_hidden: bool) -> None:
    found = shipped({name: text})
    assert (found.secret, found.plain) == (({name: text}, {}) if is_hidden else ({}, {name: text}))


def test_secrets_travel_apart_and_what_is_of_one_machine_not_at_all() -> None:
    secret = {
        "MLFLOW_TRACKING_PASSWORD": "a",
        "MLFLOW_TRACKING_TOKEN": "b",
        "MLFLOW_TRACKING_URI": "postgresql://me:c@host/db",
        "AWS_ACCESS_KEY_ID": "d",
        "AWS_SECRET_ACCESS_KEY": "e",
        "AWS_SESSION_TOKEN": "f",
        "AWS_ENDPOINT_URL_S3": "https://me:g@store",
        "PGPASSWORD": "h",
    }
    plain = {
        "MLFLOW_TRACKING_USERNAME": "me",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "https://store",
        "PGHOST": "db",
    }
    local = {
        "AWS_PROFILE": "me",
        "AWS_SHARED_CREDENTIALS_FILE": "/home/me/.aws/credentials",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "/etc/ca.pem",
        "PGPASSFILE": "/home/me/.pgpass",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/me/key.json",
        "MLFLOW_AUTH_ADMIN_PASSWORD": "of the server",
        "PATH": "/bin",
    }
    found = shipped({**secret, **plain, **local})
    assert (found.secret, found.plain) == (secret, plain)
    assert is_secret("my_api_key", "x") and not is_secret("AWS_SHARED_CREDENTIALS_FILE", "/home/me")
