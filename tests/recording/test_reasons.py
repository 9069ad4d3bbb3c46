"""What people read when MLflow takes nothing: errors as MLflow's client words them."""

from __future__ import annotations

import pytest

from tuner.recording.reasons import LastingRefusalError, tracking_error

URI = "http://me:secret@host:5000"
REQUEST = "API request to http://me:secret@host:5000/api/2.0/mlflow/runs/create failed with exception"
POOL = "HTTPConnectionPool(host='host', port=5000): Max retries exceeded with url: /api (Caused by"
ENDPOINT = "API request to endpoint /api/2.0/mlflow/runs/create failed with error code"
POSTGRES = '(psycopg2.OperationalError) connection to server at "host", port 5432 failed:'


@pytest.mark.parametrize(
    ("text", "reason", "lasts"),
    [
        (f"{REQUEST} {POOL} NewConnectionError('[Errno 111] Connection refused'))", "it refuses connections", False),
        (f"{REQUEST} timeout exception. Read timed out. (read timeout=20)", "it gave no answer in time", False),
        (f"{REQUEST} {POOL} ResponseError('too many 500 error responses'))", "it answers HTTP 500", False),
        (f"{REQUEST} {POOL} ResponseError('too many 503 error responses'))", "it answers HTTP 503", False),
        (f"{REQUEST} {POOL} NameResolutionError('Name or service not known'))", "its name is unknown", False),
        (f"{REQUEST} ('Connection aborted.', RemoteDisconnected())", "it closed the connection", False),
        (f"{ENDPOINT} 401 != 200. Response body: 'no'", "HTTP 401: the credentials are wrong or missing", True),
        (f"{ENDPOINT} 403 != 200. Response body: 'Invalid Host header'", "HTTP 403: access is denied", True),
        (f"{ENDPOINT} 404 != 200. Response body: 'no'", "HTTP 404: there is no MLflow at this address", True),
        ("the response body was not in a valid JSON format. Response body: '<html>'", "is not MLflow", True),
        (f"{POSTGRES} Connection refused", "it refuses connections", False),
        (f"{POSTGRES} timeout expired", "it gave no answer in time", False),
        (f'{POSTGRES} FATAL: password authentication failed for user "me"', "refuses the credentials", True),
        (f'{POSTGRES} FATAL: database "mlflow" does not exist', "there is no such database", True),
        ("(sqlite3.OperationalError) database is locked", "its database is locked by another process", False),
        ("(sqlite3.DatabaseError) file is not a database [SQL: select 1] (Background", "the file is damaged", True),
        ("No module named 'psycopg2'", "its driver is not installed here", True),
        ("Something that nobody foresaw at <Thing at 0x7f00>", "RuntimeError: Something that nobody foresaw", False),
    ],
)
def test_a_reason_in_a_line_and_whether_waiting_helps(text: str, reason: str, lasts: bool) -> None:
    error = tracking_error(RuntimeError(text), URI)
    assert str(error).startswith("http://host:5000: ") and "SQL: " not in str(error)
    assert reason in str(error)
    assert isinstance(error, LastingRefusalError) == lasts
    assert "secret" not in str(error) and "0x7f00" not in str(error) and "\n" not in str(error)


def test_mlflows_own_error_codes_count_too() -> None:
    class Refused(Exception):
        error_code = "PERMISSION_DENIED"

    assert isinstance(tracking_error(Refused("not yours"), URI), LastingRefusalError)
