"""The live server follows journals: each event is read once, and what has not changed is not sent again."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.serving import Server, serving, without_pauses
from tests.simulation import make_spec, new_sweep
from tuner.live import pages
from tuner.live.followed import Followed
from tuner.storage import StorageRoot
from tuner.storage.journal import Journal
from tuner.sweep import events as ev


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pauses(monkeypatch)


def begun(root: Path, name: str = "test", trials: int = 1) -> Journal:
    """The journal of a sweep with some trials that have not trained yet."""
    journal = new_sweep(root, make_spec(name=name))
    for number in range(trials):
        journal.append(ev.TrialSuggested(trial=number, params=PARAMS, origin="random"))
    return journal


def epochs(trial: int, first: int, count: int = 1, value: float = 0.5) -> list[ev.EpochReported]:
    return [
        ev.EpochReported(
            trial=trial, attempt=1, epoch=epoch, metrics={"val_accuracy": value + epoch / 1e4}, epoch_s=0.1,
            decision="continue", reason="",
        )
        for epoch in range(first, first + count)
    ]  # fmt: skip


def train(journal: Journal, trial: int, first: int, count: int = 1) -> None:
    journal.append(*epochs(trial, first, count))


PARAMS = {"learning_rate": 0.003, "batch_size": 64, "schedule": "constant", "epochs": 27}


def row(server: Server, name: str = "test") -> dict[str, object]:
    return next(row for row in server.get("/sweeps").json if row["sweep"] == name)


def test_the_list_follows_sweeps_that_run_appear_and_are_deleted(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.get("/sweeps").json == []
        assert "<h1>Sweeps</h1>" in server.get("/").text
        with closing(begun(tmp_path)) as journal:
            train(journal, 0, 1)
            first = server.get("/sweeps")
            assert [(it["sweep"], it["state"], it["epochs"], it["error"]) for it in first.json] == [
                ("test", "running", 1, "")
            ]
            assert server.get("/sweeps", first.tag).status == 304
            train(journal, 0, 2)
            again = server.get("/sweeps", first.tag)
            assert (again.status, again.json[0]["epochs"], again.json[0]["best"]) == (200, 2, 0.5002)
        assert row(server)["state"] == "interrupted"
        begun(tmp_path, "later").close()
        assert [it["sweep"] for it in server.get("/sweeps").json] == ["later", "test"]
        (tmp_path / "later").rename(tmp_path / "renamed")
        assert [it["sweep"] for it in server.get("/sweeps").json] == ["renamed", "test"]
        shutil.rmtree(tmp_path / "test")
        assert [it["sweep"] for it in server.get("/sweeps").json] == ["renamed"]
        assert server.get("/sweeps/test").status == 404
        assert "There is no sweep test" in server.get("/sweeps/test/page").text


def test_a_page_is_sent_again_only_when_the_journal_has_grown(tmp_path: Path) -> None:
    with serving(tmp_path) as server, closing(begun(tmp_path)) as journal:
        train(journal, 0, 1)
        page = server.get("/sweeps/test")
        assert page.status == 200 and 'name="tuner-journal"' in page.text and "0.5001" in page.text
        now = server.get("/sweeps/test/page")
        assert f'data-page="{now.headers["etag"].strip(chr(34))}"' in page.text
        assert [server.get("/sweeps/test/page", now.tag).status for _ in range(3)] == [304] * 3
        assert server.live.pages.num_made == 1
        train(journal, 0, 2)
        after = server.get("/sweeps/test/page", now.tag)
        assert after.status == 200 and "0.5002" in after.text and server.live.pages.num_made == 2
        journal.append(ev.SweepEnded(state="stopped", reason="enough"))
        assert server.get("/sweeps/test/page", after.tag).status == 200
        assert row(server)["state"] == "stopped"


def test_a_page_that_a_busy_machine_makes_slowly_is_not_older_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def made_slowly(tables: object, state: str) -> str:
        clock[0] += 600  # another's seconds: this thread works for none of them
        return "made"

    monkeypatch.setattr(pages, "SHARE", 0.1)
    monkeypatch.setattr(pages, "page_of", made_slowly)
    monkeypatch.setattr(pages.time, "monotonic", lambda: clock[0])
    with closing(begun(tmp_path)) as journal:
        found, one = pages.Pages(), Followed(StorageRoot(tmp_path).sweep("test"))
        for count in range(1, 4):
            train(journal, 0, count)
            one.look()
            assert found.page(one) is not None and found.num_made == count
            clock[0] += 60


@pytest.mark.slow(15)
def test_each_event_is_read_once_of_half_a_million(tmp_path: Path) -> None:
    with serving(tmp_path) as server, closing(begun(tmp_path, trials=500)) as journal:
        journal.append(*(epoch for trial in range(500) for epoch in epochs(trial, 1, 1000)))
        assert row(server)["epochs"] == 500_000
        one = server.live.root.sweep("test")
        assert one is not None and one.num_read == 500_501
        page = server.get("/sweeps/test")
        assert page.status == 200 and len(page.text) < 2_000_000
        train(journal, 0, 1001, 3)
        assert row(server)["epochs"] == 500_003
        assert server.get("/sweeps/test/page").status == 200
        assert one.num_read == 500_504
        assert server.live.pages.num_made == 2


def test_an_unreadable_journal_is_told_in_the_list_and_on_its_page(tmp_path: Path) -> None:
    begun(tmp_path, "sound").close()
    begun(tmp_path, "torn").close()
    file = tmp_path / "torn" / "journal.jsonl"
    whole = file.read_bytes()
    file.write_bytes(b"{}\n" + whole)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "journal.jsonl").touch()
    begun(tmp_path, "odd").close()
    odd = tmp_path / "odd" / "journal.jsonl"
    odd.write_bytes(odd.read_bytes().replace(b"num_trials", b"mun_trials"))
    with serving(tmp_path) as server:
        rows = {it["sweep"]: it for it in server.get("/sweeps").json}
        assert (rows["torn"]["state"], rows["sound"]["state"]) == ("damaged", "interrupted")
        assert "line 1, byte 0" in rows["torn"]["error"] and "empty" in rows["empty"]["error"]
        assert (rows["odd"]["state"], rows["odd"]["error"]) == ("damaged", "KeyError: 'num_trials'")
        page = server.get("/sweeps/torn")
        assert page.status == 503 and "cannot be read" in page.text and "line 1, byte 0" in page.text
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tuner.live.pages.page_of", lambda tables, state: 1 // 0)
            page = server.get("/sweeps/sound")
        assert page.status == 500 and "cannot be made: ZeroDivisionError" in page.text
        assert server.get("/sweeps/sound").status == 200


def test_another_sweep_of_the_same_name_is_read_from_its_beginning(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with closing(begun(tmp_path)) as journal:
            train(journal, 0, 1, 5)
            assert row(server)["epochs"] == 5
        shutil.rmtree(tmp_path / "test")
        with closing(begun(tmp_path, trials=9)) as journal:
            train(journal, 0, 1, 7)
            assert row(server)["epochs"] == 7


def test_a_sweep_that_has_ended_is_kept_in_memory_only_while_its_page_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(begun(tmp_path)) as journal:
        train(journal, 0, 1)
        journal.append(ev.SweepEnded(state="finished", reason=""))
    with serving(tmp_path) as server:
        monkeypatch.setattr("tuner.live.followed.KEPT_S", 0.0)
        assert row(server)["best"] == 0.5001
        one = server.live.root.sweep("test")
        assert one is not None and one._sweep is None
        assert row(server)["best"] == 0.5001 and one.num_read == 4
        with closing(Journal(one.folder)) as journal:
            journal.append(ev.SweepResumed(changes={}, versions={}))
            train(journal, 0, 2)
            assert (row(server)["state"], row(server)["best"]) == ("running", 0.5002)
        assert server.get("/sweeps/test").status == 200


def test_names_are_escaped(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert "<script>alert" not in server.get("/sweeps/%3Cscript%3Ealert(1)%3C%2Fscript%3E").text
        assert server.get("/sweeps/..%2F..%2Fetc").status == 404
        assert server.get("/sweeps/../x").status == 404
        begun(tmp_path, "a.b_c-1").close()
        assert server.get("/sweeps/a%2Eb_c-1").status == 200
