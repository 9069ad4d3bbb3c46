"""Formats values, configurations and durations for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuner.base.words import Params, list_text, unquoted


def short(value: Any) -> str:
    """A value in few characters: 0.001234, 128, relu, [128, 64]."""
    if isinstance(value, list):
        return list_text(value, short)
    return f"{value:.4g}" if isinstance(value, float) else unquoted(value)


def metric_text(value: float) -> str:
    """A metric's value with four decimals, or with four significant digits if it is very small or very large."""
    return f"{value:.4f}" if value == 0 or 1e-2 <= abs(value) < 1e6 else f"{value:.4g}"


def params_text(params: Params | Mapping[str, Any]) -> str:
    """A configuration on one line."""
    return "  ".join(f"{name}={short(value)}" for name, value in params.items())


def duration_text(seconds: float) -> str:
    """A duration: 42 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def bytes_text(size_bytes: float) -> str:
    """A size with three digits at most: 512 bytes, 1.5 KiB, 20 MiB."""
    if size_bytes < 1024:
        return f"{size_bytes:.0f} byte{'' if size_bytes == 1 else 's'}"
    unit = next(unit for unit in (1, 2, 3, 4) if size_bytes < 1024 ** (unit + 1) * 0.9995 or unit == 4)
    number = size_bytes / 1024**unit
    return f"{number:.{0 if number >= 99.95 else 1}f} {('KiB', 'MiB', 'GiB', 'TiB')[unit - 1]}"


def times_text(number: int) -> str:
    """A count: once, 3 times."""
    return "once" if number == 1 else f"{number} times"


def listed(items: Sequence[object]) -> str:
    """`a, b and c`, of one item at least."""
    texts = [str(item) for item in items]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def harmless(text: str) -> str:
    """Escapes control characters in text from user code, so that it cannot steer a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def infeasible_text(figures: Mapping[str, Any], num_trials: int) -> str:
    """The figures of what was infeasible in a sweep, for people; empty if nothing was."""
    parts = []
    if figures["trials"]:
        parts.append(f"{figures['trials']} of {num_trials} suggested configurations ({figures['share']:.0%})")
    if figures["draws_share"]:
        parts.append(f"{figures['draws_share']:.0%} of the space's draws, which are drawn again")
    return "; ".join(parts)
