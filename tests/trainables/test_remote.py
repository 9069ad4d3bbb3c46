"""Data in a bucket, on a real S3 server: read once on a machine, whole or not at all, and anew when it has changed."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tests.objectstore import S3Server
from trainables import data as data_sets
from trainables.contract import Data, DataError
from trainables.remote import local_copy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tuner" / "data"


def put(server: S3Server, url: str, content: bytes) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    server.client().put_object(Bucket=bucket, Key=key, Body=content)


def packed(num_examples: int = 20, **others: object) -> bytes:
    stream = io.BytesIO()
    x, y = np.zeros((num_examples, 3), "float32"), np.arange(num_examples) % 2
    np.savez(stream, **{"x_train": x, "y_train": y, **others})  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("url", ["ftp://host/x.npz", "s4://bucket/x.npz", "s3://bucket", "s3://bucket/"])
def test_a_url_that_names_no_object_is_one_line(url: str) -> None:
    with pytest.raises(DataError, match=r"must (start with s3://, gs:// or https://|name an object)") as refused:
        data_sets.load(url)
    assert str(refused.value).startswith(url) and ("did you mean s3" in str(refused.value)) == url.startswith("s4")


def test_a_file_of_a_web_server_is_downloaded_once_and_anew_when_it_changes(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "t.csv").write_text("a,label\n" + "".join(f"{n},{n % 2}\n" for n in range(20)))
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/t.csv"
        assert len(Data.from_csv(url, "label").train[0]) == 16
        assert local_copy(url) == local_copy(url) and local_copy(f"{url}?raw=1").name == "t.csv"
        (folder / "t.csv").write_text("a,label\n" + "".join(f"{n},{n % 2}\n" for n in range(30)))
        assert len(Data.from_csv(url, "label").train[0]) == 24
        with pytest.raises(DataError, match=r"/none\.csv: cannot be read: .*none\.csv"):
            Data.from_csv(url.replace("t.csv", "none.csv"), "label")
        server.shutdown()


def test_downloads_are_bounded_and_what_a_process_uses_stays(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    for name in "abcd":
        (folder / name).write_bytes(name.encode() * 1000)
    monkeypatch.setenv("TUNER_CACHE_BYTES", "2500")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        first = local_copy(f"{url}/a")
        code = f"from trainables.remote import local_copy; print(local_copy('{url}/b'))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        second = Path(done.stdout.strip())
        assert second.exists()
        (cache / f"{second.parent.name}.half").mkdir()
        third = local_copy(f"{url}/c")
        assert first.exists() and third.exists() and not second.exists()
        assert local_copy(f"{url}/d").exists() and first.exists() and third.exists()
        assert local_copy(f"{url}/b").read_bytes() == b"b" * 1000 and not list(cache.glob("*.half"))
        monkeypatch.setenv("TUNER_CACHE_BYTES", "2 GB")
        (folder / "e").write_text("e")
        with pytest.raises(DataError, match="TUNER_CACHE_BYTES must be a number of bytes"):
            local_copy(f"{url}/e")
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.mark.slow
def test_an_object_is_read_as_a_file_would_be_and_kept(s3_server: S3Server, s3_root: str, cache: Path) -> None:
    url = f"{s3_root}/faces.npz"
    put(s3_server, url, packed(20))
    assert data_sets.labels(url).size == 2 and len(data_sets.load(url).train[0]) == 18
    first = local_copy(url)
    assert first.name == "faces.npz" and first.parent.parent == cache
    put(s3_server, url, packed(30))
    assert len(data_sets.load(url).train[0]) == 27 and local_copy(url) != first
    assert sorted(path.suffix for path in cache.iterdir()) == ["", "", ".lock", ".lock", ".used", ".used"]


@pytest.mark.slow
def test_a_folder_is_copied_with_what_is_below_it(s3_server: S3Server, s3_root: str, cache: Path) -> None:
    for name in ("cats/1.png", "cats/2.png", "dogs/1.png"):
        put(s3_server, f"{s3_root}/images/{name}", name.encode())
    folder = local_copy(f"{s3_root}/images/")
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.png")}
    assert found == {name: name for name in ("cats/1.png", "cats/2.png", "dogs/1.png")}


@pytest.mark.slow
def test_what_is_wrong_is_said_of_the_url(s3_server: S3Server, s3_root: str, cache: Path) -> None:
    with pytest.raises(DataError, match=f"^{s3_root}/none.npz: cannot be read: there is no such object$"):
        data_sets.load(f"{s3_root}/none.npz")
    put(s3_server, f"{s3_root}/bad.npz", packed(x_tset=np.zeros(3)))
    with pytest.raises(DataError, match=f"^{s3_root}/bad.npz: must hold no other arrays, but got x_tset"):
        data_sets.load(f"{s3_root}/bad.npz")
    put(s3_server, f"{s3_root}/good.npz", packed())
    s3_server.faults.fraction, s3_server.faults.kinds = 1.0, ("403",)
    with pytest.raises(DataError, match=f"^{s3_root}/good.npz: cannot be read: .*(Forbidden|Denied)"):
        data_sets.load(f"{s3_root}/good.npz")


@pytest.mark.slow
def test_many_processes_of_a_machine_download_once(s3_server: S3Server, s3_root: str, cache: Path) -> None:
    put(s3_server, f"{s3_root}/faces.npz", packed(1000))
    downloads: list[str] = []

    def note(method: str, path: str) -> None:
        if method == "GET" and path.endswith("/faces.npz"):
            downloads.append(path)

    s3_server.faults.before, s3_server.faults.delay_s = note, 0.1
    code = f"from trainables import data; print(len(data.load('{s3_root}/faces.npz').train[0]))"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate()[0] for process in processes] == ["900\n"] * 4
    assert len(downloads) == 1


@pytest.mark.slow
def test_a_download_that_fails_leaves_nothing_behind(s3_server: S3Server, s3_root: str, cache: Path) -> None:
    put(s3_server, f"{s3_root}/faces.npz", packed())

    def refuse_the_next_one(method: str, path: str) -> None:
        s3_server.faults.fraction, s3_server.faults.kinds, s3_server.faults.methods = 1.0, ("403",), ("GET",)

    s3_server.faults.before = refuse_the_next_one
    with pytest.raises(DataError, match=r"cannot be read: .*(Forbidden|Denied)"):
        local_copy(f"{s3_root}/faces.npz")
    s3_server.faults.clear()
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    assert local_copy(f"{s3_root}/faces.npz").read_bytes() == packed()
