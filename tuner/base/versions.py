"""The package versions that a sweep ran with, for its journal. Read from metadata, so nothing is imported."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("tuner", "ray", "tensorflow", "keras", "hyperopt", "mlflow", "numpy")


def versions() -> dict[str, str]:
    """The installed version of each package that can affect a sweep."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
