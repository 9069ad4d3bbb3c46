"""deploy/mlflow's files held against each other, as far as that goes without a container engine."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.objectstore import S3Server
from tests.tracking_server import DEPLOYED, arguments, settings
from tuner.base.secrets import is_secret

ROOT = DEPLOYED.parents[1]
MANIFESTS = sorted((DEPLOYED / "kubernetes").glob("*.yaml"))
COMPOSE = ["compose.yaml", "compose.store.yaml"]


def load(path: Path) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(path.read_text()))


def objects(kind: str) -> list[dict[str, Any]]:
    return [found for path in MANIFESTS for found in load(path) if found["kind"] == kind]


def workloads() -> list[dict[str, Any]]:
    return [*objects("Deployment"), *objects("StatefulSet")]


def every(tree: Any, key: str) -> Iterator[Any]:
    """Each value of a key, however deep."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from every(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from every(value, key)


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", lock.read_text(), re.MULTILINE))


def secrets() -> dict[str, str]:
    lines = (DEPLOYED / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def services() -> dict[str, Any]:
    """Of both compose files, the second laid over the first."""
    merged: dict[str, Any] = {}
    for name in COMPOSE:
        for service, content in load(DEPLOYED / name)[0]["services"].items():
            merged[service] = {**merged.get(service, {}), **content}
    return merged


def test_the_server_has_the_versions_of_the_projects_lock() -> None:
    here, ours = pins(DEPLOYED / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert {"mlflow", "psycopg2-binary", "boto3", "flask-wtf", "prometheus-flask-exporter"} <= here.keys()
    assert {name: version for name, version in here.items() if ours.get(name) != version} == {}
    texts = [
        path.read_text() for path in DEPLOYED.rglob("*") if path.suffix in (".yaml", ".md") or path.stem == "Dockerfile"
    ]
    tags = {tag for text in texts for tag in re.findall(r"tuner-mlflow:([\w.]+)", text)}
    [image] = load(DEPLOYED / "kustomization.yaml")[0]["images"]
    assert tags | {image["newTag"]} == {ours["mlflow"]}


def test_the_readme_names_every_place_of_the_version() -> None:
    version = pins(ROOT / "requirements.lock")["mlflow"]
    files = [path for path in DEPLOYED.rglob("*") if path.is_file() and path.name != "README.md"]
    places = {path.relative_to(DEPLOYED).parts[0] for path in files if version in path.read_text()}
    [told] = re.findall(r"^For a new MLflow: (.+?);", (DEPLOYED / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert places == {name.strip("/") for name in re.findall(r"`([\w./]+)`", told)}


def test_both_images_have_one_python() -> None:
    texts = [path.read_text() for path in (DEPLOYED / "Dockerfile", ROOT / "deploy" / "Dockerfile")]
    assert len({base for text in texts for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE)}) == 1


def test_the_folder_s_readme_names_all_that_is_there() -> None:
    table = (ROOT / "deploy" / "README.md").read_text().partition("\n## ")[0]
    there = {path.name for path in (ROOT / "deploy").iterdir()} - {"README.md", "requirements-gpu.lock"}
    assert {name for name in there if name not in table} == set()


def test_images_are_pinned() -> None:
    compose = [image for name in COMPOSE for image in every(load(DEPLOYED / name), "image")]
    bases = re.findall(r"^FROM (\S+)", (DEPLOYED / "Dockerfile").read_text(), re.MULTILINE)
    manifests = [image for path in MANIFESTS for image in every(load(path), "image")]
    for image in (*compose, *bases, *manifests):
        assert re.search(r":[\w-]*\.?\d+\.\d+|:RELEASE\.\d{4}-", image), image


def test_the_image_copies_what_exists_and_is_no_root() -> None:
    text = (DEPLOYED / "Dockerfile").read_text()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((DEPLOYED / source).is_file() for source in sources.split())
    [user] = re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE)
    [pod] = [found["spec"]["template"]["spec"] for found in objects("Deployment")]
    assert int(user) == pod["securityContext"]["runAsUser"] != 0
    assert arguments()[0] == "server" and f"EXPOSE {settings()['MLFLOW_PORT']}" in text


def test_no_secret_stands_in_the_files_and_none_has_a_default() -> None:
    assert set(secrets().values()) == {""}
    assert [name for name, text in settings().items() if is_secret(name, text)] == []
    auth = configparser.ConfigParser()
    auth.read(DEPLOYED / "basic_auth.ini")
    assert "admin_password" not in auth["mlflow"]
    for name in COMPOSE:
        used = re.findall(r"\$\{(\w+)(:\?[^}]+)?\}", (DEPLOYED / name).read_text())
        assert used and all(variable in secrets() and refused for variable, refused in used)
    git = ["git", "check-ignore", "--quiet", str(DEPLOYED / ".env")]
    assert not (ROOT / ".git").exists() or subprocess.run(git, cwd=ROOT).returncode == 0


def test_compose_agrees_with_the_settings() -> None:
    found, server = services(), settings()
    mlflow, postgres = found["mlflow"], found[server["PGHOST"]]
    port = server["MLFLOW_PORT"]
    assert mlflow["ports"] == [f"127.0.0.1:{port}:{port}"] and f":{port}/health" in mlflow["healthcheck"]["test"][-1]
    assert f"./basic_auth.ini:{server['MLFLOW_AUTH_CONFIG_PATH']}:ro" in mlflow["volumes"]
    assert server["MLFLOW_EXPOSE_PROMETHEUS"].startswith(f"{mlflow['tmpfs'][0]}/")
    assert postgres["environment"]["POSTGRES_USER"] == server["PGUSER"]
    assert postgres["environment"]["POSTGRES_DB"] == server["PGDATABASE"]
    assert {"--username", server["PGUSER"], "--dbname", server["PGDATABASE"]} <= set(postgres["healthcheck"]["test"])
    volumes = {name for file in COMPOSE for name in load(DEPLOYED / file)[0]["volumes"]}
    for service in found.values():
        assert all((DEPLOYED / name).is_file() for name in [service.get("env_file", "server.env")])
        assert set(service.get("depends_on", ())) <= found.keys()
        sources = [mount.split(":")[0] for mount in service.get("volumes", ())]
        assert all(source in volumes or (DEPLOYED / source).is_file() for source in sources)
    asks_health = {name for name, service in found.items() if "healthcheck" in service}
    waits = [item for service in found.values() for item in service.get("depends_on", {}).items()]
    assert {name for name, how in waits if how["condition"] == "service_healthy"} <= asks_health


def test_manifests_name_what_exists() -> None:
    made = load(DEPLOYED / "kustomization.yaml")[0]
    assert sorted(DEPLOYED / name for name in made["resources"]) == MANIFESTS
    generated = [*made["configMapGenerator"], *made["secretGenerator"]]
    assert all((DEPLOYED / file).is_file() for item in generated for file in [*item.get("files", ())])
    keys = {"mlflow-settings": settings(), "mlflow-secrets": secrets(), "mlflow-auth": {}}
    assert {item["name"] for item in generated} == keys.keys()
    pods = [found["spec"]["template"]["spec"] for found in workloads()]
    for key in ("secretKeyRef", "configMapKeyRef"):
        for reference in every(pods, key):
            assert reference["key"] in keys[reference["name"]], reference
    assert {reference["key"] for reference in every(pods, "secretKeyRef")} == secrets().keys()
    assert {reference["name"] for reference in every(pods, "configMapRef")} == {"mlflow-settings"}


def test_pods_ports_probes_and_volumes_fit_together() -> None:
    server, by_name = settings(), {found["metadata"]["name"]: found for found in workloads()}
    for found in workloads():
        pod = found["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["capabilities"] == {
            "drop": ["ALL"]
        }
        assert "requests" in container["resources"] and "memory" in container["resources"]["limits"]
        ports = {port["name"] for port in container["ports"]}
        probes = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
        assert all("exec" in probe or probe["httpGet"]["port"] in ports for probe in probes)
        volumes = {volume["name"] for volume in pod["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in found["spec"].get("volumeClaimTemplates", ())}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        labels = found["spec"]["template"]["metadata"]["labels"]
        assert found["spec"]["selector"]["matchLabels"].items() <= labels.items()
        [service] = [each for each in objects("Service") if each["metadata"]["name"] == found["metadata"]["name"]]
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    [mlflow] = by_name["mlflow"]["spec"]["template"]["spec"]["containers"]
    assert [port["containerPort"] for port in mlflow["ports"]] == [int(server["MLFLOW_PORT"])]
    mounts = {mount["name"]: mount["mountPath"] for mount in mlflow["volumeMounts"]}
    assert server["MLFLOW_AUTH_CONFIG_PATH"] == f"{mounts['auth']}/basic_auth.ini"
    assert server["MLFLOW_EXPOSE_PROMETHEUS"].startswith(f"{mounts['tmp']}/")
    [database] = by_name[server["PGHOST"]]["spec"]["template"]["spec"]["containers"]
    assert [port["containerPort"] for port in database["ports"]] == [int(server["PGPORT"])]
    policies = {found["metadata"]["name"]: found["spec"] for found in objects("NetworkPolicy")}
    assert policies.keys() == by_name.keys()
    namespace = load(DEPLOYED / "kustomization.yaml")[0]["namespace"]
    assert f"mlflow.{namespace}.svc:{server['MLFLOW_PORT']}" in server["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders the manifests, and is not installed")
@pytest.mark.parametrize("upgrades", [False, True])
def test_kustomize_renders_them(tmp_path: Path, upgrades: bool) -> None:
    folder = tmp_path / "mlflow"
    shutil.copytree(DEPLOYED, folder)
    (folder / ".env").write_text("".join(f"{name}=canary\n" for name in secrets()))
    if upgrades:
        made = folder / "kustomization.yaml"
        made.write_text(made.read_text().replace("# components:", "components:"))
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rendered = list(YAML(typ="safe", pure=True).load_all(done.stdout))
    names = {(found["kind"], found["metadata"]["name"]) for found in rendered}
    assert len(rendered) == sum(len(load(path)) for path in MANIFESTS) + 3
    for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef"), ("ConfigMap", "configMapRef")):
        assert {(kind, reference["name"]) for reference in every(rendered, key)} <= names
    assert {found["metadata"].get("namespace", "mlflow") for found in rendered} == {"mlflow"}
    assert bool(list(every(rendered, "initContainers"))) == upgrades


@pytest.mark.slow
def test_the_images_packages_install_into_an_empty_environment(tmp_path: Path) -> None:
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    lock = DEPLOYED / "requirements.lock"
    install = ["pip", "install", "--quiet", "--python", str(python), "--require-hashes", "--requirement", str(lock)]
    subprocess.run([*uv, *install], check=True)
    clean = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    code = "import boto3, flask_wtf, prometheus_flask_exporter, psycopg2, mlflow.version as v; print(v.VERSION)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=clean)
    assert done.stdout.strip() == pins(lock)["mlflow"], done.stderr


@pytest.mark.slow
def test_the_store_beside_the_server_gets_its_bucket(s3_server: S3Server) -> None:
    python, *code = services()["bucket"]["entrypoint"]
    assert python == "python"
    environ = {**os.environ, **s3_server.environ, **settings()}
    for _ in range(2):  # each start of compose runs it
        subprocess.run([sys.executable, *code], env=environ, check=True)
    bucket = settings()["MLFLOW_ARTIFACTS_DESTINATION"].removeprefix("s3://").split("/")[0]
    assert bucket in [found["Name"] for found in s3_server.client().list_buckets()["Buckets"]]
