"""Whether a Ray head answers, before it is joined and while a sweep runs on it; addresses that are none."""

from __future__ import annotations

import threading

import pytest

from tests.backend.clusters import cluster_of
from tests.servers import Mode, Proxy, free_port, wait_until
from tuner.backend import head, nodes, session
from tuner.backend.address import is_local
from tuner.backend.head import watched, why_silent
from tuner.base.errors import ServiceError, UsageError

ADDRESSES = [
    "",
    "foo",
    "http://127.0.0.1:8265",
    "ray://127.0.0.1:10001",
    "head:",
    ":6379",
    "head:0",
    "head:65536",
    "a b:1",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_no_address_of_a_cluster_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="address: must be that of a Ray cluster") as refused:
        session.start_ray(address)
    assert str(refused.value).endswith(f"but got {address!r}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (Exception("The current node timed out during startup.\nmore"), "The current node timed out during startup."),
        (
            OSError("AF_UNIX path length cannot exceed 107 bytes"),
            "AF_UNIX path length cannot exceed 107 bytes; set RAY_TMPDIR to a folder with a shorter path, such as /tmp",
        ),
    ],
)
def test_a_ray_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch, raised: Exception, told: str) -> None:
    import ray

    def init(**_: object) -> None:
        raise raised

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ServiceError) as refused:
        session.start_ray("local")
    assert str(refused.value) == f"Ray does not start on this machine: {told}"


def test_the_environment_s_address_is_held_against_the_same_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(UsageError, match="RAY_ADDRESS: must be that of a Ray cluster"):
        is_local(None)
    assert is_local("local") and not is_local("[::1]:6379")
    monkeypatch.setenv("RAY_ADDRESS", "")
    assert is_local(None)


@pytest.mark.parametrize(
    ("mode", "why"),
    [("refuse", "connection refused"), ("hang", "no answer within 0.5 s"), ("alien", "is no head of Ray's")],
)
def test_a_head_that_is_gone_is_told_at_once(monkeypatch: pytest.MonkeyPatch, mode: Mode, why: str) -> None:
    monkeypatch.setattr(session, "JOINS_WITHIN_S", 0.5)
    with Proxy(free_port()) as server:
        server.mode = mode
        with pytest.raises(ServiceError, match=f"Ray at 127.0.0.1:{server.port} does not answer: .*{why}"):
            session.start_ray(f"127.0.0.1:{server.port}")


def test_auto_leads_to_no_head_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray._private.services.canonicalize_bootstrap_address", lambda _: f"127.0.0.1:{free_port()}")
    with pytest.raises(ServiceError, match="Ray at auto does not answer: connection refused"):
        session.start_ray("auto")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_head_is_lost_once_it_is_silent_for_long_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(head, "ANSWERS_WITHIN_S", 2.0)
    with cluster_of(num_cpus=0):
        port = int(nodes.head_address().rpartition(":")[2])
        with Proxy(port) as between:
            address = f"127.0.0.1:{between.port}"
            assert why_silent(address, 5) is None
            lost: list[str] = []
            with watched(address, lost.append):
                looks = between.num_requests
                wait_until(lambda: between.num_requests > looks + head.MISSES_AT_MOST)
                assert lost == []
                between.mode = "refuse"
                wait_until(lambda: bool(lost))
            assert lost == [f"Ray's head at {address} is gone: connection refused"]


def test_a_head_is_not_lost_any_more_once_nobody_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep may end while the last look is under way."""
    monkeypatch.setattr(head, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(head, "MISSES_AT_MOST", 1)
    looks, over = threading.Event(), threading.Event()

    def silent(address: str, timeout_s: float) -> str:
        looks.set()
        over.wait(10)
        return "no answer"

    monkeypatch.setattr(head, "why_silent", silent)
    lost: list[str] = []
    before = threading.enumerate()
    with watched("127.0.0.1:1", lost.append):
        [watch] = [thread for thread in threading.enumerate() if thread.name == "head" and thread not in before]
        assert looks.wait(10)
    over.set()
    watch.join(10)
    assert not watch.is_alive() and lost == []
