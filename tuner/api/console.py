"""The console on standard error."""

from __future__ import annotations

from rich.console import Console


def error_console() -> Console:
    """Standard error, for text that people read. Brackets and colons are printed as they are."""
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
