"""Names: what a sweep of ours writes is known as ours, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.storage import SweepFolder
from tuner.storage.names import (
    checkpoint_name,
    is_checkpoint_name,
    is_checkpoint_path,
    is_sweep_name,
    is_trial_name,
    is_unfinished_checkpoint,
    trial_name,
    unfinished_name,
)

NUMBERS = st.integers(0, 10**9)


@given(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["full", "best"]))
def test_what_is_made_is_known(trial: int, attempt: int, epoch: int, kind: str) -> None:
    name = checkpoint_name(attempt, epoch, kind)
    assert is_checkpoint_name(name) and is_trial_name(trial_name(trial))
    assert is_unfinished_checkpoint(unfinished_name(name)) and not is_checkpoint_name(unfinished_name(name))
    assert is_checkpoint_path(SweepFolder(Path("x")).checkpoint(trial, attempt, epoch, kind))


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "..", "checkpoints", "checkpoints/000001", "checkpoints/000001/", "checkpoints/000001/notes.txt",
        "checkpoints/zz/full-000001-attempt-001-7.npz",
        "checkpoints/1/full-000001-attempt-001-7.npz",
        "checkpoints/0000001/full-000001-attempt-001-7.npz",
        "checkpoints/\u0660\u0660\u0660\u0660\u0660\u0661/full-000001-attempt-001-7.npz",
        "/checkpoints/000001/full-000001-attempt-001-7.npz",
        "s3://other/checkpoints/000001/full-000001-attempt-001-7.npz",
        "file:///etc/passwd", "/etc/passwd",
        "checkpoints//000001/full-000001-attempt-001-7.npz",
        "checkpoints/./000001/full-000001-attempt-001-7.npz",
        "checkpoints/000001/../000001/full-000001-attempt-001-7.npz",
        "checkpoints/../../other/checkpoints/000001/full-000001-attempt-001-7.npz",
        "checkpoints/000001/full-000001-attempt-001-7.npz\n",
        "checkpoints/000001/full-000001-attempt-001-7.npz\0",
        "checkpoints/000001/full-000001-attempt-001--7.npz",
        "checkpoints/000001/full-000001-attempt-001-7.npz.bak",
        "checkpoints/000001/Full-000001-attempt-001-7.npz",
        "checkpoints/000001/.full-000001-attempt-001-7.npz.7-8.tmp",
        "checkpoints\\000001\\full-000001-attempt-001-7.npz",
    ],
)  # fmt: skip
def test_no_other_path_is_a_checkpoint_s(path: str) -> None:
    assert not is_checkpoint_path(path)


@given(st.text(max_size=30))
def test_a_path_that_counts_has_two_folders_and_no_way_out(text: str) -> None:
    for path in (text, f"checkpoints/{text}", f"checkpoints/000001/{text}"):
        if is_checkpoint_path(path):
            assert path.count("/") == 2 and ".." not in path.split("/") and path.isascii() and path.isprintable()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "../x", "a/../b", "a\0b", "s3://other/x", "a/"])
def test_what_leads_elsewhere_is_no_name_of_a_sweep(name: str) -> None:
    assert not is_sweep_name(name) and not is_sweep_name(name, is_remote=True)


def test_a_pattern_is_no_name_where_a_store_s_client_would_expand_it() -> None:
    for name in ("a*", "a?", "[ab]", "a#b"):
        assert is_sweep_name(name) and not is_sweep_name(name, is_remote=True)


@pytest.mark.parametrize(
    "name", ["full-000001-attempt-001.npz", "epoch-000003-attempt-002-77.npz", "epoch-000003-attempt-002.npz"]
)
def test_checkpoints_of_early_versions_are_known(name: str) -> None:
    assert is_checkpoint_name(name)
