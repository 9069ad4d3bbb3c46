"""A sweep's jobs on the head: one at a time, under names that say whose they are."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuner.base.errors import NameTakenError
from tuner.base.user import LAUNCHED_BY
from tuner.cluster.jobs import SweepJobs, main, submit
from tuner.cluster.launched import Launched


class Status(str):
    def is_terminal(self) -> bool:
        return self not in ("PENDING", "RUNNING")


@dataclass
class Client:
    """In the place of Ray's job client."""

    jobs: list[Any] = field(default_factory=list)

    def list_jobs(self) -> list[Any]:
        return self.jobs[::-1]

    def submit_job(self, *, submission_id: str, entrypoint: str, runtime_env: Any, metadata: dict[str, str]) -> str:
        if any(job.submission_id == submission_id for job in self.jobs):
            raise RuntimeError("there is such a job")
        seen = {
            "entrypoint": entrypoint,
            "runtime_env": runtime_env,
            "metadata": metadata,
            "start_time": len(self.jobs),
        }
        self.jobs.append(SimpleNamespace(submission_id=submission_id, status=Status("RUNNING"), **seen))
        return submission_id


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Launches a sweep through a client, with files as a laptop has copied them."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def launch(
        client: Client, name: str = "mine", version: str = "1", or_resume: bool = False, by: str = ""
    ) -> dict[str, Any]:
        incoming = tmp_path / "incoming"
        (incoming / "project").mkdir(parents=True)
        (incoming / "project" / "sweep.yaml").write_text(version)
        (incoming / "environment").write_text(json.dumps({"MLFLOW_TRACKING_PASSWORD": "canary", LAUNCHED_BY: by}))
        try:
            return submit(SweepJobs(name, client), name, incoming, or_resume)  # type: ignore[arg-type]
        finally:
            assert not incoming.exists()

    return launch


def end(client: Client, status: str = "FAILED") -> None:
    for job in client.jobs:
        job.status = Status(status)


def test_a_second_launch_attaches_while_the_first_runs(launch: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    assert launch(client) == {"job": "mine", "attached": False, "goes_on": False}
    assert launch(client, version="2") == {"job": "mine", "attached": True}
    assert len(client.jobs) == 1 and (Launched("mine").project / "sweep.yaml").read_text() == "1"


def test_a_colleague_s_sweep_of_the_same_name_is_told_and_left_alone(launch: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    launch(client, by="anna@desk")
    with pytest.raises(NameTakenError, match=r"sweep mine on this cluster is anna@desk's and runs as job mine: choose"):
        launch(client, by="ben@laptop", or_resume=True)
    assert launch(client, by="anna@laptop") == {"job": "mine", "attached": True, "owner": "anna@desk"}
    end(client)
    with pytest.raises(NameTakenError, match=r"anna@desk's and has run here: .* or continue it with --or-resume"):
        launch(client, by="ben@laptop")
    assert launch(client, by="ben@laptop", or_resume=True)["goes_on"]


def test_a_job_has_the_packages_that_its_spec_requires(launch: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    launch(client, version="requirements: [albumentations==1.4.18]\n")
    (job,) = client.jobs
    assert job.runtime_env["pip"] == ["albumentations==1.4.18"]
    assert job.entrypoint.startswith("python -m tuner.cluster.launched mine run ")  # the environment's own


def test_of_two_launches_at_the_same_time_one_starts_the_sweep(launch: Callable[..., dict[str, Any]]) -> None:
    """The other one looks before the first has submitted, and submits after it."""
    client = Client()

    class Late(Client):
        def list_jobs(self) -> list[Any]:
            return client.list_jobs() if self.jobs else []

        def submit_job(self, **asked: Any) -> str:
            launch(client)
            self.jobs = client.jobs
            return super().submit_job(**asked)

    assert launch(Late()) == {"job": "mine", "attached": True}
    assert len(client.jobs) == 1


def test_a_launch_after_the_end_goes_on_with_what_it_brought(launch: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    launch(client)
    assert "--or-resume" not in client.jobs[0].entrypoint
    for number in (2, 3):
        end(client)
        assert launch(client, version=str(number)) == {"job": f"mine-{number}", "attached": False, "goes_on": True}
        assert client.jobs[-1].entrypoint.endswith("mine run sweep.yaml --shipped --or-resume")
        assert (Launched("mine").project / "sweep.yaml").read_text() == str(number)


def test_a_new_head_goes_on_with_what_storage_has_only_when_told_to(launch: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    assert launch(client, or_resume=True)["goes_on"] and "--or-resume" in client.jobs[0].entrypoint


def test_sweeps_whose_names_meet_keep_their_jobs_apart(launch: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    launch(client, "mine")
    launch(client, "mine-2")
    end(client)
    assert launch(client, "mine")["job"] == "mine-3"
    assert [job.submission_id for job in SweepJobs("mine", client).all()] == ["mine", "mine-3"]  # type: ignore[arg-type]
    assert SweepJobs("mine-2", client).others_run() and not SweepJobs("mine", client).others_run()  # type: ignore[arg-type]


def test_a_job_holds_no_secret(launch: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    launch(client)
    assert "canary" not in str(vars(client.jobs[0]))
    assert "canary" in Launched("mine").environment.read_text()


def test_a_head_whose_ray_ends_is_one_line_for_who_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `ray stop` there, or a restart: its machine goes on, and so does ssh."""
    from requests.exceptions import ConnectionError as Refused

    class Gone(Client):
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            yield "20 s: 1 of 3 trials\n"

        def get_job_info(self, job: str) -> Any:
            raise Refused("connection to 127.0.0.1:8265\nrefused")

    job = SimpleNamespace(submission_id="mine", metadata={"tuner.sweep": "mine"}, start_time=1)
    monkeypatch.setattr("tuner.cluster.jobs.connected", lambda: Gone([job]))
    monkeypatch.setattr(sys, "argv", ["jobs", "follow", "mine"])
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (4, "20 s: 1 of 3 trials\n")
    assert said.err.startswith("the head's job server: connection to 127.0.0.1:8265 refused; if Ray has ended there,")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("request_", ["follow", "logs"])
def test_the_way_back_that_a_driver_tells_is_that_of_whoever_asks(
    launch: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    request_: str,
) -> None:
    """The driver knows its storage alone; who asks has a cluster file, and perhaps no key to that."""
    said = "stopped; nothing is lost. Go on with it: tuner resume mine --storage s3://bucket/x\n  tuner ui --storage s3"

    class Talking(Client):
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            for start in range(0, len(said), 7):
                yield said[start : start + 7]

        def get_job_logs(self, job: str) -> str:
            return said

        def get_job_info(self, job: str) -> Any:
            return SimpleNamespace(status=Status("FAILED"), driver_exit_code=3)

    client = Talking()
    launch(client)
    Launched("mine").environment.write_text(json.dumps({"TUNER_STORAGE": "s3://bucket/x"}))
    monkeypatch.setattr("tuner.cluster.jobs.connected", lambda: client)
    monkeypatch.setenv("TUNER_ASKED_BY", "--cluster 'my cluster.yaml'")
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    monkeypatch.setattr(sys, "argv", ["jobs", request_, "mine"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == (3 if request_ == "follow" else 0)
    assert capsys.readouterr().out == said.replace("mine --storage s3://bucket/x", "mine --cluster 'my cluster.yaml'")
    monkeypatch.setattr(sys, "argv", ["jobs", "resume", "mine"])
    with pytest.raises(SystemExit):
        main()
    watched = "its job mine runs; `tuner logs mine --follow --cluster 'my cluster.yaml'` watches\n"
    assert capsys.readouterr().err.endswith(watched)
