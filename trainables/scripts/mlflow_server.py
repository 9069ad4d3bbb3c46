"""What a script takes for MLflow's server: its run is the trial's. Metrics become epochs; nothing waits for MLflow.

It listens on this machine alone, and answers only who has its token. What it does not know it refuses as MLflow does,
which MLflow's autologging passes over.
"""

from __future__ import annotations

import hmac
import json
import math
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from trainables.scripts.mlflow_artifacts import PREFIX, KeptArtifacts, body_of
from trainables.scripts.mlflow_epochs import LoggedEpochs

_BODY_BYTES_MAX = 16 << 20
_OWN_TAGS = ("mlflow.", "tuner.")
_PAIRS_MAX, _CHARS_MAX = 1000, 1000
"""Of parameters, and of tags, between two reports; and of a value."""


class TrialRun:
    """What one trial's script logs.

    Attributes:
        epochs: of its metrics.
        params, tags: what it has logged besides, since they were taken.
        kept: takes its artifacts; None where they are written to a folder.
        takes_artifact, took_artifact_at: whether one is being kept, and when the last one was (monotonic seconds).
    """

    def __init__(self, name: str, objective: str, artifacts: str, on_epoch: Callable[[], None]) -> None:
        self.name, self.artifacts = name, artifacts
        self.epochs = LoggedEpochs(objective, on_epoch)
        self.run_id = secrets.token_hex(16)
        self.was_used = False
        self.kept: KeptArtifacts | None = None
        self.takes_artifact, self.took_artifact_at = False, 0.0
        self._lock = threading.Lock()
        self._new: dict[str, dict[str, str]] = {"params": {}, "tags": {}}
        self._runs: dict[str, dict[str, Any]] = {}
        self._models: dict[str, dict[str, Any]] = {}

    def take_logged(self) -> dict[str, dict[str, str]]:
        """Parameters and tags since the last call."""
        with self._lock:
            taken, self._new = self._new, {"params": {}, "tags": {}}
            return taken

    def answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What MLflow's server would answer.

        Raises:
            KeyError: it is not known here.
        """
        self.was_used = True
        kind, _, verb = path.partition("/")
        if kind == "experiments":
            return self._experiment(verb, asked)
        if kind == "runs":
            return self._run(verb, asked)
        if kind == "logged-models":
            return self._model(verb, asked)
        if path == "metrics/get-history":
            return {"metrics": []}
        raise KeyError(path)

    def _experiment(self, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        found = {
            "experiment_id": "0",
            "name": asked.get("experiment_name") or asked.get("name") or "Default",
            "artifact_location": self.artifacts,
            "lifecycle_stage": "active",
        }
        known: dict[str, Any] = {"get-by-name": {"experiment": found}, "get": {"experiment": found}}
        known |= {"create": {"experiment_id": "0"}, "search": {"experiments": [found]}, "set-experiment-tag": {}}
        return dict(known[verb])

    def _run(self, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        run_id = asked.get("run_id") or asked.get("run_uuid") or self.run_id
        if verb == "create":
            return {"run": self._created(asked)}
        if verb == "get":
            return {"run": self._shown(run_id)}
        if verb == "search":
            return {"runs": []}
        if verb == "update":
            run = self._known(run_id)
            run |= {name: asked[name] for name in ("status", "end_time") if name in asked}
            return {"run_info": self._shown(run_id)["info"]}
        if verb in ("log-inputs", "log-model", "outputs", "delete-tag"):
            return {}
        if verb == "log-metric":
            self._log(run_id, {"metrics": [asked]})
        elif verb == "log-parameter":
            self._log(run_id, {"params": [asked]})
        elif verb == "set-tag":
            self._log(run_id, {"tags": [asked]})
        elif verb == "log-batch":
            self._log(run_id, asked)
        else:
            raise KeyError(verb)
        return {}

    def _created(self, asked: dict[str, Any]) -> dict[str, Any]:
        tags = {tag["key"]: tag["value"] for tag in asked.get("tags", [])}
        run_id = secrets.token_hex(16) if "mlflow.parentRunId" in tags else self.run_id
        run = self._known(run_id)
        run["prefix"] = "" if run_id == self.run_id else f"{asked.get('run_name') or 'nested'}/"
        run["name"] = asked.get("run_name") or tags.get("mlflow.runName") or self.name
        run["start_time"] = int(asked.get("start_time") or time.time() * 1000)
        self._log(run_id, {"tags": asked.get("tags", [])})
        return self._shown(run_id)

    def _known(self, run_id: str) -> dict[str, Any]:
        begun = {"prefix": "", "name": self.name, "status": "RUNNING", "start_time": int(time.time() * 1000)}
        return self._runs.setdefault(run_id, {**begun, "params": {}, "tags": {}, "metrics": {}})

    def _log(self, run_id: str, logged: dict[str, Any]) -> None:
        run = self._known(run_id)
        for metric in logged.get("metrics", []):
            run["metrics"][metric["key"]] = metric
            if not metric["key"].startswith("system/"):
                value = metric.get("value")
                self.epochs.log(
                    run["prefix"] + metric["key"],
                    math.nan if value is None else float(value),
                    int(metric.get("step") or 0),
                )
        with self._lock:
            for kind in ("params", "tags"):
                for pair in logged.get(kind, []):
                    run[kind][pair["key"]] = str(pair.get("value", ""))
                    if not pair["key"].startswith(_OWN_TAGS) and len(self._new[kind]) < _PAIRS_MAX:
                        self._new[kind][run["prefix"] + pair["key"]] = str(pair.get("value", ""))[:_CHARS_MAX]

    def _shown(self, run_id: str) -> dict[str, Any]:
        run = self._known(run_id)
        tags = {"mlflow.runName": run["name"], **run["tags"]}
        info = {
            "run_id": run_id,
            "run_uuid": run_id,
            "run_name": run["name"],
            "experiment_id": "0",
            "user_id": "",
            "status": run["status"],
            "start_time": run["start_time"],
            "artifact_uri": self.artifacts,
            "lifecycle_stage": "active",
        }
        data = {
            "metrics": list(run["metrics"].values()),
            "params": [{"key": key, "value": value} for key, value in run["params"].items()],
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        return {"info": info, "data": data, "inputs": {"dataset_inputs": []}}

    def _model(self, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        """A model is files below the run's own artifacts, and nothing else is kept of it."""
        model_id = verb.partition("/")[0] or f"m-{secrets.token_hex(16)}"
        model = self._models.setdefault(
            model_id,
            {
                "info": {
                    "model_id": model_id,
                    "experiment_id": "0",
                    "name": asked.get("name") or "model",
                    "creation_timestamp_ms": int(time.time() * 1000),
                    "last_updated_timestamp_ms": int(time.time() * 1000),
                    "artifact_uri": f"{self.artifacts}/{asked.get('name') or 'model'}",
                    "status": "LOGGED_MODEL_PENDING",
                    "source_run_id": self.run_id,
                },
                "data": {},
            },
        )
        if "status" in asked:
            model["info"]["status"] = asked["status"]
        return {"model": model}


class RunServer:
    """The server of one process that trains; each trial in turn has its run."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(32)
        self.run: TrialRun | None = None
        server = self

        class Handler(_Handler):
            owner = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, name="mlflow", daemon=True).start()

    def environment(self) -> dict[str, str]:
        """What MLflow's client reads."""
        return {
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{self._http.server_address[1]}",
            "MLFLOW_TRACKING_TOKEN": self._token,
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def is_allowed(self, header: str | None) -> bool:
        """Whether a request has the token."""
        return hmac.compare_digest((header or "").encode(), f"Bearer {self._token}".encode())

    def close(self) -> None:
        """Ends it."""
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: RunServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        self._answer(self._body())

    do_PATCH = do_DELETE = do_POST

    def do_PUT(self) -> None:
        """An artifact; nothing else is sent so."""
        path, body = (
            self._artifact(),
            body_of(self.rfile, *map(self.headers.get, ("Content-Length", "Transfer-Encoding"))),
        )
        run = self.owner.run
        if path is None or run is None or run.kept is None or not self._is_allowed():
            self.close_connection = True
            return self._send(404, b"{}", "application/json")
        run.takes_artifact = True
        try:
            run.kept.put(path, body)
        except (KeyError, OSError, ValueError) as error:
            self.close_connection = True
            return self._send(400, json.dumps({"message": str(error)}).encode(), "application/json")
        finally:
            run.takes_artifact, run.took_artifact_at = False, time.monotonic()
        return self._send(200, b"{}", "application/json")

    def _artifact(self) -> str | None:
        """The path of the artifact that is asked for; None for none."""
        path = unquote(urlsplit(self.path).path)
        return path.removeprefix(PREFIX) if path.startswith(f"{PREFIX}/") else None

    def _body(self) -> dict[str, Any]:
        size = int(self.headers.get("Content-Length") or 0)
        if size > _BODY_BYTES_MAX:
            return {}
        try:
            found = json.loads(self.rfile.read(size) or b"{}")
        except ValueError:
            found = {}
        return found if isinstance(found, dict) else {}

    def _answer(self, asked: dict[str, Any]) -> None:
        path = urlsplit(self.path).path
        code, answer = 200, dict[str, Any]()
        if path in ("/health", "/version"):
            return self._send(200, b"OK" if path == "/health" else b"3.0.0", "text/plain")
        run = self.owner.run
        if not self._is_allowed() or run is None:
            code, answer = 401, {"error_code": "UNAUTHENTICATED", "message": "this is the server of one trial's script"}
        else:
            try:
                if run.kept is not None and path.startswith(PREFIX):
                    if (artifact := self._artifact()) is not None:
                        return self._send(200, run.kept.read(artifact), "application/octet-stream")
                    return self._send(200, json.dumps(run.kept.listed(asked["path"])).encode(), "application/json")
                answer = run.answer(path.partition("/mlflow/")[2], asked)
            except (KeyError, TypeError, ValueError, AttributeError):
                text = f"{path} is not known to the server of a trial's script"
                code, answer = 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": text}
        return self._send(code, json.dumps(answer).encode(), "application/json")

    def _is_allowed(self) -> bool:
        return self.owner.is_allowed(self.headers.get("Authorization"))

    def _send(self, code: int, content: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""
