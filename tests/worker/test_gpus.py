"""A trial's part of the GPUs, with a pretended nvidia-smi and pretended cards: no GPU has run this."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.cards import card_names
from tuner.worker import gpus


def test_a_trial_without_gpus_sees_none_and_others_number_them_as_ray_does() -> None:
    assert gpus.environment(0) == {"CUDA_VISIBLE_DEVICES": "-1"}
    for count in (0.25, 1, 2):
        told = gpus.environment(count)
        assert "CUDA_VISIBLE_DEVICES" not in told, "Ray's own choice must stand"
        assert told == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


@given(num_trials=st.integers(1, 20), card_mb=st.integers(12_000, 200_000))
def test_what_packed_trials_take_fits_on_their_card(num_trials: int, card_mb: int) -> None:
    limit_mb = gpus.share_mb(1 / num_trials, card_mb)
    assert limit_mb > 0 and num_trials * (limit_mb + gpus.CONTEXT_MB) <= card_mb


def test_a_fraction_too_small_for_cuda_itself_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gpus_per_trial must leave more than the 512 MiB .* got 0\.02 of 16000 MiB"):
        gpus.share_mb(0.02, 16_000)
    with pytest.raises(ValueError, match=r"got 0\.5 of 1024 MiB"):
        gpus.share_mb(0.5, 2 * gpus.CONTEXT_MB)
    assert gpus.share_mb(0.5, 2 * gpus.CONTEXT_MB + 2) == 1


def pretend_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n{script}\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_the_memory_of_the_trials_own_card_is_what_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_nvidia_smi(tmp_path, monkeypatch, "echo 24564")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert gpus.memory_limit_mb(0.5) == 12282 - gpus.CONTEXT_MB
    assert (tmp_path / "asked").read_text().split()[-1] == "--id=3"
    assert gpus.memory_limit_mb(1) is None and gpus.memory_limit_mb(2) is None


@pytest.mark.parametrize("script", ["exit 9", "echo 'No devices were found'", "true"])
def test_a_card_that_cannot_be_measured_is_not_guessed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    pretend_nvidia_smi(tmp_path, monkeypatch, script)
    with pytest.raises(ValueError, match=r"must be measured by nvidia-smi, but nvidia-smi .* failed"):
        gpus.memory_limit_mb(0.5)


def test_cards_are_named_as_their_driver_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_nvidia_smi(tmp_path, monkeypatch, "echo 'NVIDIA A100-SXM4-40GB'; echo 'Tesla T4'")
    assert card_names(["0", "2"]) == ("NVIDIA A100-SXM4-40GB", "Tesla T4")
    assert (tmp_path / "asked").read_text().split()[-1] == "--id=0,2"
    assert card_names(["0"]) == (), "the answer is not about what was asked"
    pretend_nvidia_smi(tmp_path, monkeypatch, "exit 9")
    assert card_names(["0"]) == ()


class Cards:
    """Stands in for `tf.config` on a node with so many cards; notes what is set."""

    def __init__(self, count: int) -> None:
        self.cards = [f"card {index}" for index in range(count)]
        self.limits: dict[str, int] = {}
        self.growing: list[str] = []
        self.experimental = SimpleNamespace(set_memory_growth=lambda card, on: self.growing.append(card))
        self.LogicalDeviceConfiguration = lambda limit_mb: limit_mb

    def list_physical_devices(self, kind: str) -> list[str]:
        return self.cards

    def list_logical_devices(self, kind: str) -> list[Any]:
        return [SimpleNamespace(name=f"/device:GPU:{index}") for index in range(len(self.cards))]

    def set_logical_device_configuration(self, card: str, limits: list[int]) -> None:
        [self.limits[card]] = limits


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("gpus_per_trial", "cards", "limits", "growing", "notes"),
    [
        (0.25, 1, {"card 0": 10_000 // 4 - 512}, 0, ""),
        (1, 1, {}, 1, ""),
        (2, 2, {}, 2, ""),
        (0, 0, {}, 0, ""),
        (0.25, 0, {}, 0, "it has 0.25 GPUs, but TensorFlow sees 0: it trains on the CPU"),
        (4, 2, {}, 2, "it has 4 GPUs, but TensorFlow sees 2: it trains on those 2"),
    ],
)
def test_tensorflow_is_limited_to_the_trials_part(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus_per_trial: float,
    cards: int,
    limits: dict[str, int],
    growing: int,
    notes: str,
) -> None:
    import tensorflow as tf

    from tuner.worker import training

    pretend_nvidia_smi(tmp_path, monkeypatch, "echo 10000")
    config = Cards(cards)
    monkeypatch.setattr(tf, "config", config)
    told: list[str] = []
    devices = training._gpus(gpus_per_trial, told)
    assert devices == [f"/device:GPU:{index}" for index in range(cards)]
    assert config.limits == limits and len(config.growing) == growing
    assert told == ([notes] if notes else [])
