"""Vega, Vega-Lite and Vega-Embed as one script, so that a page needs no network.

Joining them takes a second, so the script is kept in $XDG_CACHE_HOME/tuner under the version of what joins them.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

import vl_convert

from tuner.base.errors import TunerError
from tuner.storage import write_atomically


@functools.cache
def vega_script() -> str:
    """The script. It sets `vega`, `vegaLite` and `vegaEmbed`, may run twice, and may stand in a `<script>`."""
    kept = _kept_at()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if text := kept.read_text(encoding="utf-8"):
            return text
    text = f"(() => {{{vl_convert.javascript_bundle()}}})();\n".replace("</script", "<\\/script")
    with contextlib.suppress(OSError, TunerError):  # a container's user may have no home: then it is made each time
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(kept, text.encode())
    return text


def _kept_at() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    with contextlib.suppress(RuntimeError):  # there is no home
        folder = folder.expanduser()
    return folder / "tuner" / f"vega-{vl_convert.__version__}.js"
