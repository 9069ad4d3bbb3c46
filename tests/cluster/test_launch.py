"""Sweeps launched over ssh on hosts of one machine: Ray's own launcher, S3, and MLflow on PostgreSQL, all real.

The tests go on with one another's cluster, and each would bring one up by itself. The last one kills its head.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess

import pytest

from tests.cluster.conftest import LAUNCH_S, TOKEN, Site
from tests.servers import wait_until
from tuner.sweep import events as ev

pytestmark = [
    pytest.mark.slow,
    pytest.mark.hosts,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

SLOW = {"learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"}, "batch_size": 16, "pause_s": 0.1}
LONG = {"space": SLOW, "early_stopping": {"algorithm": "none"}}


def addresses(events: list[ev.AnyEvent]) -> set[str]:
    """The nodes on which trials ran."""
    return {event.node for event in events if isinstance(event, ev.TrialStarted)}


def heard(client: subprocess.Popen[str], text: str) -> None:
    """Reads what a command prints until it says this."""
    assert client.stdout is not None
    assert any(text in line for line in client.stdout)


def test_a_sweep_of_40_trials_on_three_hosts(site: Site) -> None:
    cluster = site.cluster_file("head", ("one", "two"))
    said = site("launch", site.spec("forty", num_trials=40), "--cluster", cluster)
    assert "show forty --cluster" in said
    assert "all 40 trials ended" in said
    sweep = site.verified("forty")
    assert len(sweep.trials) == 40
    assert len(addresses(site.events("forty"))) == 2
    assert site.json("show", "forty", "--cluster", cluster)["state"] == "finished"


def test_dashboard_and_job_api_refuse_calls_without_the_token(site: Site) -> None:
    """The dashboard's page is for all, as it holds nothing; what it would show is not."""
    site("launch", site.spec("token", num_trials=2), "--cluster", site.cluster_file("head", ("one", "two")))
    assert set(asked(site, "")) == {401}
    assert set(asked(site, "wrong")) == {403}
    assert set(asked(site, TOKEN)) == {200}


def asked(site: Site, token: str) -> list[int]:
    """How the job server and the dashboard answer on the head."""
    code = (
        "import urllib.error, urllib.request\n"
        "for path in ('api/jobs/', 'api/version', 'nodes?view=summary', 'api/cluster_status'):\n"
        f"  headers = {{'Authorization': 'Bearer {token}'}} if '{token}' else {{}}\n"
        "  request = urllib.request.Request('http://127.0.0.1:8265/' + path, headers=headers)\n"
        "  try: print(urllib.request.urlopen(request).status)\n"
        "  except urllib.error.HTTPError as error: print(error.code)\n"
    )
    return [int(line) for line in site.ssh(site.hosts["head"], f"python -c {shlex.quote(code)}").split()]


def test_the_sweep_goes_on_without_its_client(site: Site) -> None:
    cluster = site.cluster_file("head", ("one", "two"))
    client = site.start("launch", site.spec("alone", space=SLOW, num_trials=6), "--cluster", cluster)
    heard(client, "sweep alone is submitted")
    os.killpg(client.pid, signal.SIGKILL)
    client.wait()
    site.wait_for("alone", lambda sweep: True)
    wait_until(lambda: site.json("show", "alone", "--cluster", cluster, laptop="other")["state"] == "finished", 240, 3)
    # The journal is finished before the recorder has caught up; then the driver says how it went, and ends.
    wait_until(lambda: "trials ended" in site("logs", "alone", "--cluster", cluster, laptop="other"), 120, 3)
    site.verified("alone")


def test_leaving_a_sweep_attaching_stopping_and_resuming_from_a_laptop(site: Site) -> None:
    cluster = site.cluster_file("head", ("one", "two"))
    spec = site.spec("twice", num_trials=6, **LONG)
    first = site.start("launch", spec, "--cluster", cluster)
    site.wait_for("twice", lambda sweep: sweep.num_epochs >= 1)
    os.killpg(first.pid, signal.SIGINT)
    said = first.communicate(timeout=60)[0]
    assert (first.returncode, said.splitlines()[-1].partition(";")[0]) == (3, "left sweep twice, which goes on")
    second = site.start("launch", spec, "--cluster", cluster)
    heard(second, "sweep twice runs already")
    stopped = site("stop", "twice", "--cluster", cluster)
    assert "stops after the running epochs" in stopped and f"resume twice --cluster {cluster}" in stopped
    said = second.communicate(timeout=120)[0]
    assert second.returncode == 3, said
    assert f"Go on with it: tuner resume twice --cluster {cluster}" in said and "resume twice --storage" not in said
    acknowledged = site.events("twice")
    said = site("resume", "twice", "--cluster", cluster, "--set", "num_trials=5")
    assert "as job twice-2" in said and "all 5 trials ended" in said
    site.verified("twice", acknowledged)
    with site.tunnel("head", 8265) as port:
        server = ("--address", f"http://127.0.0.1:{port}")
        assert site.json("show", "twice", *server)["state"] == "finished"
        assert len(site.json("trials", "twice", *server)) == 5
        assert "all 5 trials ended" in site("logs", "twice", *server)
        assert "has no trial 9" in site("logs", "twice", "--trial", "9", "--follow", *server, exit_code=2)
        assert "no driver is at work" in site("stop", "twice", *server, exit_code=2)


def test_a_worker_is_cut_off_and_another_joins(site: Site) -> None:
    cluster = site.cluster_file("head", ("one", "two"))
    client = site.start("launch", site.spec("cut", num_trials=6, **LONG), "--cluster", cluster)
    site.wait_for("cut", lambda sweep: len(addresses(site.events("cut"))) == 2 and sweep.num_epochs >= 4)
    acknowledged = site.events("cut")
    site.hosts["one"].cut()
    site.join("three", "head")
    said = client.communicate(timeout=LAUNCH_S)[0]
    assert client.returncode == 0, said
    site.verified("cut", acknowledged)
    assert addresses(site.events("cut")) > addresses(acknowledged)


def test_the_head_dies_and_a_new_one_goes_on_from_storage_alone(site: Site) -> None:
    cluster = site.cluster_file("head", ("two",))
    client = site.start("launch", spec := site.spec("moved", num_trials=4, **LONG), "--cluster", cluster)
    site.wait_for("moved", lambda sweep: sweep.num_epochs >= 3)
    site.hosts["head"].kill()
    acknowledged = site.events("moved")
    said = client.communicate(timeout=120)[0]
    assert client.returncode == 4 and "watch it again" in said, said
    other = site.cluster_file("three", ("two",))
    said = site("launch", spec, "--cluster", other, "--or-resume", "--down-when-done")
    assert "all 4 trials ended" in said
    site.verified("moved", acknowledged)
    assert "gcs_server" not in site.ssh(site.hosts["three"], "ps aux")
