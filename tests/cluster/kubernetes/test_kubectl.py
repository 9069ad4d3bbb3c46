"""`tuner kubernetes`, printed and applied; kubectl is real, the API server is a stand-in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.cli.test_commands import Done, tuner
from tests.cluster.kubernetes.api import Api, pretended_api
from tests.cluster.kubernetes.operator import rules
from trainables import registry
from tuner.cluster.kubernetes import kubectl

SHARED = ("--storage", "s3://bucket/sweeps", "--set", "tracking.uri=https://mlflow.example.com")
CONFIG_MAP = "/api/v1/namespaces/team/configmaps/digits"
RAY_JOB = "/apis/ray.io/v1/namespaces/team/rayjobs/digits"
CANARY = "canary-of-a-secret-key"


def launch(*arguments: str, exit_code: int = 0, **environment: str) -> Done:
    return tuner("kubernetes", "digits", *arguments, exit_code=exit_code, **environment)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_", "RAY_", "TUNER_", "PG"))]:
        monkeypatch.delenv(name)


def test_the_manifest_is_printed_alone_and_taken() -> None:
    done = launch(*SHARED, "--queue", "q", "--set", "resources.gpus_per_trial=0.5", AWS_REGION="eu-west-1")
    documents = list(YAML(typ="safe", pure=True).load_all(done.stdout))
    assert [one["kind"] for one in documents] == ["ConfigMap", "RayJob"]
    assert [rules.problems(one) for one in documents] == [[], []]
    assert "eu-west-1" in done.stdout
    image, keys = done.stderr.splitlines()
    assert image.startswith("image tuner:")
    assert keys.startswith("warning: storage: s3://bucket/sweeps: the pods may have no key to it; --secret NAME")
    assert "may have no key" not in launch(*SHARED, "--service-account", "trainer").stderr


@pytest.mark.parametrize("uri", ["postgresql://db/runs", "mysql+pymysql://db/runs"])
def test_a_store_without_a_place_for_artifacts_is_told(uri: str) -> None:
    said = launch(*SHARED[:2], "--set", f"tracking.uri={uri}").stderr
    assert f"tracking.uri: '{uri}' has no place for artifacts: a new experiment's stay in ./mlruns" in said
    assert "--artifact-location s3://bucket/sweeps/mlartifacts" in said


def test_a_trainable_that_needs_data_is_refused_without() -> None:
    done = tuner("kubernetes", "mlp", *SHARED, "--set", "data=null", exit_code=2)
    assert "mlp must be given data" in done.stderr
    tuner(
        "kubernetes",
        "mlp",
        *SHARED,
        "--set",
        "data=s3://bucket/none.npz",
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
    )


def test_addresses_of_this_machine_are_warned_of() -> None:
    done = launch(*SHARED[:2], "--set", "tracking.uri=http://localhost:5000", AWS_ENDPOINT_URL="http://127.0.0.1:9000")
    assert "warning: http://localhost:5000 is the pod itself once the sweep runs there" in done.stderr
    assert "warning: http://127.0.0.1:9000 is the pod itself once the sweep runs there" in done.stderr


@pytest.mark.parametrize("uri", ["postgresql+psycopg2://127.0.0.1/runs", "http://[::1]:5000", "mysql://LOCALHOST:1/x"])
def test_an_address_of_this_machine_may_be_of_any_kind(uri: str) -> None:
    assert "is the pod itself once the sweep runs there" in launch(*SHARED[:2], "--set", f"tracking.uri={uri}").stderr


def test_a_kubectl_that_waits_for_a_cluster_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "kubectl").chmod(0o700)
    monkeypatch.setattr(kubectl, "_ANSWER_S", 0.1)
    done = launch(*SHARED, "--apply", exit_code=4, PATH=f"{tmp_path}:{os.environ['PATH']}")
    said = "kubectl get: no answer within 0.1 s; launch again once it answers: a job that runs is left as it is"
    assert done.stderr.splitlines()[-1] == said


@pytest.mark.slow
def test_a_manifest_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    """Of a locale of another encoding, ASCII is what each machine has."""
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    spec, job = tmp_path / "sweep.yaml", tmp_path / "job.yaml"
    text = registry.default_sweep("digits").read_text().replace("{experiment: digits}", "{experiment: für}")
    spec.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tuner.cli.main", "kubernetes", str(spec), *SHARED]
    command += ["--output", str(job)]
    done = subprocess.run(command, env=os.environ | locale, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "experiment: für" in job.read_text(encoding="utf-8")


def test_it_is_written_to_a_file(tmp_path: Path) -> None:
    done = launch(*SHARED, "--output", str(tmp_path / "job.yaml"))
    assert done.stdout == "" and "kind: RayJob" in (tmp_path / "job.yaml").read_text()
    done = launch(*SHARED, "--output", str(tmp_path / "none" / "job.yaml"), exit_code=2)
    assert done.stderr == f"--output {tmp_path / 'none' / 'job.yaml'}: cannot be written: No such file or directory\n"


def test_secrets_stay_out_of_it() -> None:
    secrets = {"AWS_ACCESS_KEY_ID": "AKIA" + CANARY, "AWS_SECRET_ACCESS_KEY": CANARY}
    uri = f"tracking.uri=https://me:{CANARY}@mlflow.example.com"
    done = launch(*SHARED[:2], "--set", uri, **secrets)
    assert CANARY not in done.stdout + done.stderr
    assert "uri: https://mlflow.example.com" in done.stdout
    assert '--from-literal=AWS_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY"' in done.stderr
    done = launch(*SHARED, "--secret", "sweep-secrets", **secrets)
    assert CANARY not in done.stdout and "name: sweep-secrets" in done.stdout and "--from-literal" not in done.stderr


def test_what_pods_do_not_share_is_refused_together_with_the_spec() -> None:
    done = launch("--storage", "sweeps", "--set", "num_trials=0", exit_code=2)
    assert "num_trials: must be at least 1, but got 0" in done.stderr
    done = launch("--storage", "/mnt/sweeps", "--set", "objective.metric=val_nothing", exit_code=2)
    lines = done.stderr.splitlines()
    assert len(lines) == 3 and done.stdout == ""
    assert "objective.metric: must be" in lines[0]
    assert "storage: must be shared by all 9 nodes" in lines[1] and lines[1].endswith("--volume CLAIM:/mnt/sweeps")
    assert "tracking.uri: must be a server that all 9 nodes reach" in lines[2]
    launch("--storage", "/mnt/sweeps", *SHARED[2:], "--volume", "claim:/mnt/sweeps")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--memory", "much"), "--memory: must be bytes, or a size such as 6GiB or 512MiB"),
        (("--memory", "1"), "--memory: must be at least 1MiB"),
        (("--min-workers", "0", "--retries", "-1"), "--min-workers: must be at least 1, but got 0\n--r"),
    ],
)
def test_wrong_options_are_refused(arguments: tuple[str, ...], said: str) -> None:
    assert launch(*SHARED, *arguments, exit_code=2).stderr.startswith(said)


def test_the_former_command_works_and_says_where_it_went() -> None:
    now = tuner("kubernetes", "digits", *SHARED, "--queue", "q")
    former = tuner("launch", "digits", "--or-resume", "--kubernetes", *SHARED, "--queue", "q")
    assert former.stdout == now.stdout
    where = f"`tuner launch --kubernetes` has moved; this runs: tuner kubernetes digits {' '.join(SHARED)} --queue q\n"
    assert former.stderr == where + now.stderr
    for option in ("--cluster=c.yaml", "--down-when-done"):
        said = tuner("launch", "digits", "--kubernetes", option, *SHARED, exit_code=2).stderr
        assert f"No such option: {option.partition('=')[0]}" in said
    assert "--kubernetes" not in tuner("launch", "--help").stdout


def test_the_former_command_shows_no_password() -> None:
    said = tuner("launch", "digits", "--kubernetes", *SHARED[:2], "--set", f"tracking.uri=http://u:{CANARY}@h:1").stderr
    assert "tuner kubernetes digits" in said and CANARY not in said


def test_a_launch_needs_a_cluster() -> None:
    said = tuner("launch", "digits", *SHARED, exit_code=2).stderr
    assert said == "launch: needs --cluster FILE, a file of Ray's launcher; on Kubernetes: tuner kubernetes SPEC\n"


def has_kubectl() -> bool:
    if shutil.which("kubectl") is None:
        return False
    done = subprocess.run(["kubectl", "version", "--client", "--output=json"], capture_output=True, text=True)
    told = re.search(r'"minor": "(\d+)', done.stdout)
    return told is not None and int(told[1]) >= 27


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    if not has_kubectl():
        pytest.skip("needs kubectl 1.27 or newer, which is not Debian's")
    with pretended_api() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        monkeypatch.setenv("HOME", str(tmp_path))
        yield api


def test_it_is_applied_once_and_made_anew_when_it_has_ended(api: Api) -> None:
    where = ("--namespace", "team", "--apply")
    done = launch(*SHARED, *where)
    assert api.calls == ["create ConfigMap", "create RayJob"] and set(api.objects) == {CONFIG_MAP, RAY_JOB}
    assert done.stdout == ""
    lines = [line.strip() for line in done.stderr.splitlines()]
    assert "sweep digits is submitted on Kubernetes as RayJob digits" in lines
    assert "kubectl logs --follow job/digits --namespace team" in lines
    assert [line for line in lines if line.endswith("show digits --storage s3://bucket/sweeps")]

    api.objects[RAY_JOB]["status"] = {"jobDeploymentStatus": "Running"}
    done = launch(*SHARED, *where, "--set", "num_trials=99")
    assert api.calls == ["create ConfigMap", "create RayJob"]
    assert "sweep digits runs already" in done.stderr and "it was left as it is" in done.stderr

    api.objects[RAY_JOB]["status"] = {"jobDeploymentStatus": "Failed"}
    done = launch(*SHARED, *where, "--set", "num_trials=99")
    assert api.calls[2:] == ["delete RayJob", "change ConfigMap", "create RayJob"]
    assert "num_trials: 99" in api.objects[CONFIG_MAP]["data"]["sweep.yaml"]
    assert "sweep digits goes on" in done.stderr


def test_a_cluster_that_refuses_or_does_not_answer_is_told_in_one_line(api: Api, tmp_path: Path) -> None:
    api.refuses = "no quota is left"
    done = launch(*SHARED, "--namespace", "team", "--apply", exit_code=4)
    assert "kubectl apply: " in done.stderr.splitlines()[-1] and "no quota is left" in done.stderr.splitlines()[-1]
    api.server_port = 1
    done = launch(*SHARED, "--apply", exit_code=4, KUBECONFIG=str(api.kubeconfig(tmp_path)))
    assert done.stderr.splitlines()[-1].startswith("kubectl get: ")
    done = launch(*SHARED, "--apply", exit_code=2, PATH=str(tmp_path))
    assert done.stderr.splitlines()[-1].startswith("--apply: kubectl must be on the PATH")
