"""A Kubernetes API server that is pretended: it keeps objects, and knows so much of the API as kubectl asks for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

RESOURCES = {
    "/api/v1": [("configmaps", "ConfigMap")],
    "/apis/ray.io/v1": [("rayjobs", "RayJob")],
}


class Api(ThreadingHTTPServer):
    """On loopback; `objects` are those that it keeps, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, Any] = {}
        self.calls: list[str] = []
        self.refuses: str | None = None
        """What it says to a new object instead of keeping it."""

    def kubeconfig(self, folder: Path) -> Path:
        """A file with which kubectl finds it."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}],
            "users": [{"name": "me", "user": {}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(config))
        return path


@contextmanager
def pretended_api() -> Iterator[Api]:
    with Api() as api:
        thread = threading.Thread(target=api.serve_forever)
        thread.start()
        yield api
        api.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        lists = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [
                    {
                        "name": "ray.io",
                        "versions": [{"groupVersion": "ray.io/v1", "version": "v1"}],
                        "preferredVersion": {"groupVersion": "ray.io/v1", "version": "v1"},
                    }
                ],
            },
            "/openapi/v3": {"paths": {group[1:]: {"serverRelativeURL": f"/openapi/v3{group}"} for group in RESOURCES}},
            **{f"/openapi/v3{group}": _openapi(group) for group in RESOURCES},
            "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
            **{group: _resource_list(group) for group in RESOURCES},
        }
        found = lists.get(path) or self.server.objects.get(path)
        self._answer(200, found) if found else self._missing()

    def do_PATCH(self) -> None:
        """A server-side apply."""
        assert self.headers["Content-Type"] == "application/apply-patch+yaml"
        path = self.path.partition("?")[0]
        wanted = YAML(typ="safe", pure=True).load(self._read())
        is_new = path not in self.server.objects
        self.server.calls.append(f"{'create' if is_new else 'change'} {wanted['kind']}")
        if self.server.refuses is not None:
            self._answer(422, _status(422, "Invalid", self.server.refuses))
            return
        wanted["metadata"] |= {"uid": f"uid-{len(self.server.calls)}", "resourceVersion": "1"}
        self.server.objects[path] = wanted
        self._answer(201 if is_new else 200, wanted)

    def do_DELETE(self) -> None:
        path = self.path.partition("?")[0]
        self._read()
        gone = self.server.objects.pop(path, None)
        if gone is None:
            self._missing()
            return
        self.server.calls.append(f"delete {gone['kind']}")
        self._answer(200, _status(200, None, "") | {"status": "Success"})

    def log_message(self, *_: object) -> None:
        pass

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _missing(self) -> None:
        name = re.split("/", self.path.partition("?")[0])[-1]
        self._answer(404, _status(404, "NotFound", f'"{name}" not found'))

    def _answer(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _openapi(group: str) -> dict[str, Any]:
    """So much that kubectl leaves the check of fields to the server."""
    name = group.removeprefix("/apis/").removeprefix("/api/")
    patched = {
        f"{group}/namespaces/{{namespace}}/{plural}/{{name}}": {
            "patch": {
                "x-kubernetes-group-version-kind": {
                    "group": name.rpartition("/")[0],
                    "version": name.rpartition("/")[2],
                    "kind": kind,
                },
                "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                "responses": {},
            }
        }
        for plural, kind in RESOURCES[group]
    }
    return {"openapi": "3.0.0", "info": {"title": "pretended", "version": "1"}, "paths": patched}


def _resource_list(group: str) -> dict[str, Any]:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group.removeprefix("/apis/").removeprefix("/api/"),
        "resources": [
            {
                "name": name,
                "singularName": kind.lower(),
                "namespaced": True,
                "kind": kind,
                "verbs": ["create", "delete", "get", "list", "patch", "watch"],
            }
            for name, kind in RESOURCES[group]
        ],
    }


def _status(code: int, reason: str | None, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
