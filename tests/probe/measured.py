"""Made-up measurements of a probe."""

from __future__ import annotations

from typing import Any

from tuner.probe.result import BatchStep, EpochCurve, EpochEstimate, Ladder, ProbeResult, RateRange

PARAMS = {"units": 64, "dropout": 0.0}


def rates(optimizer: str, batch_size: int, low: float, high: float, lowest: float = 0.5, **more: Any) -> RateRange:
    """A range test that fell to `lowest`."""
    steepest = (low * high) ** 0.5
    return RateRange(optimizer, batch_size, low, high, steepest, high * 2, (1e-6, 1.0), (2.3, lowest), **more)


def ladder(train_examples: int, speeds: dict[int, float], fastest: int | None = None) -> Ladder:
    """Batch sizes by their examples a second; 0 for one that does not fit."""
    steps = [
        BatchStep(size, speed, 2**29, -(-train_examples // size), train_examples / speed, True)
        if speed
        else BatchStep(size, None, None, -(-train_examples // size), None, False, "its process was killed")
        for size, speed in speeds.items()
    ]
    fitting = [step.batch_size for step in steps if step.fits]
    return Ladder(tuple(steps), fitting[-1] if fitting else None, fastest)


def probe(train_examples: int = 1200, **changes: Any) -> ProbeResult:
    """A probe of the digits."""
    speeds = {8: 5e3, 16: 1e4, 32: 2e4, 64: 4e4, 128: 6e4, 256: 6.1e4, 512: 6.1e4}
    curves = (EpochCurve("adam", 32, 3e-3, (0.8, 0.9, 0.91), (0.5, 0.16, 0.16)),)
    fields: dict[str, Any] = {
        "params": PARAMS,
        "rates": (rates("adam", 32, 2.34e-4, 4.21e-2), rates("adam", 64, 4e-4, 6e-2)),
        "ladder": ladder(train_examples, speeds, 128),
        "epochs": EpochEstimate(curves, 9, 18, "no better after epoch 9 of 12; twice that"),
        "at": 1.8e9,
    }
    return ProbeResult("digits", None, "val_accuracy", "max", train_examples, **{**fields, **changes})
