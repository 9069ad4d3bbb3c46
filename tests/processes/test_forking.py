"""Whether processes are forked, and by which name their server is found."""

from __future__ import annotations

import pytest

from trainables.sources import Sources
from tuner.processes import forking


def sources(code: str, monkeypatch: pytest.MonkeyPatch) -> Sources:
    made = object.__new__(Sources)
    object.__setattr__(made, "files", {"train.py": code.encode()})
    return made


@pytest.mark.parametrize(
    ("code", "variable"),
    [
        ('os.environ["TF_DETERMINISTIC_OPS"] = "1"', "TF_DETERMINISTIC_OPS"),
        ("os.environ['KERAS_BACKEND'] = 'jax'", "KERAS_BACKEND"),
        ('os.environ.setdefault("OMP_NUM_THREADS", "1")', "OMP_NUM_THREADS"),
        ('os.environ.update({"TF_ENABLE_ONEDNN_OPTS": "0"})', "TF_ENABLE_ONEDNN_OPTS"),
        ('os.putenv("TF_ENABLE_ONEDNN_OPTS", "0")', "TF_ENABLE_ONEDNN_OPTS"),
        ('environ["TF_USE_LEGACY_KERAS"] = "1"', "TF_USE_LEGACY_KERAS"),
        ('os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"', ""),
        ('os.environ["MY_DATA"] = "/data"  # not TF_DETERMINISTIC_OPS', ""),
        ('os.environ["CUDA_VISIBLE_DEVICES"] = "0"', ""),
        ('print(os.environ.get("TF_CONFIG"))', ""),
        ("import tensorflow as tf", ""),
    ],
)
def test_code_that_sets_what_is_read_at_the_import_has_a_process_of_its_own(
    code: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forking.why_plain(sources(code, monkeypatch)) == (f"train.py sets {variable}" if variable else "")


def test_the_user_several_gpus_and_other_systems_keep_it_from_forking(monkeypatch: pytest.MonkeyPatch) -> None:
    assert forking.why_plain(None, 1) == "" and forking.may_fork()
    assert forking.why_plain(None, 2) == "a trial has several GPUs"
    monkeypatch.setenv("TUNER_FORK", "0")
    assert forking.why_plain(None) == "TUNER_FORK=0" and not forking.may_fork()
    monkeypatch.delenv("TUNER_FORK")
    monkeypatch.setattr("sys.platform", "darwin")
    assert forking.why_plain(None) == "only Linux can fork it"


def test_what_is_read_at_the_import_is_part_of_the_servers_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = forking.server_name()
    monkeypatch.setenv("SOMETHING", "else")
    assert forking.server_name() == before
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert forking.server_name() != before != forking.server_name("token")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    monkeypatch.setattr("sys.executable", "/another/python")
    assert forking.server_name() != before
