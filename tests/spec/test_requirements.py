"""The packages that a spec asks for."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

from tuner.base.errors import SpecError
from tuner.spec import spec_from_mapping
from tuner.spec.requirements import missing_here


def made(*requirements: Any) -> Any:
    return spec_from_mapping(
        {
            "name": "mine",
            "trainable": "digits",
            "objective": {"metric": "val_loss", "mode": "min"},
            "num_trials": 1,
            "epochs": {"max": 1},
            "requirements": list(requirements),
        }
    )


def test_requirements_are_pinned_packages() -> None:
    spec = made("Albumentations[torch]==1.4.18", "my.pkg @ https://example.com/a.whl", 'x==1.0; python_version > "3"')
    assert spec.required == {"albumentations": "1.4.18", "my-pkg": "https://example.com/a.whl", "x": "1.0"}
    assert spec_from_mapping(spec.resolved()).required == spec.required


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("albumentations", "must be pinned to one version, such as albumentations==1.2.3, but got 'albumentations'"),
        ("keras>=3", f"must be pinned to one version, such as keras=={version('keras')}, but got 'keras>=3'"),
        ("keras==3.*", "must be pinned to one version"),
        ("a==1,!=2", "must be pinned to one version"),
        ("-r file.txt", "must be a package with its version, such as albumentations==1.4.18, but got '-r file.txt'"),
        (3, "must be text"),
    ],
)
def test_anything_else_is_one_line(written: Any, told: str) -> None:
    with pytest.raises(SpecError) as refused:
        made(written)
    (line,) = str(refused.value).splitlines()
    assert "requirements" in line and told in line


def test_a_package_is_named_once() -> None:
    with pytest.raises(SpecError, match="requirements: must name each package once, but got a-b twice"):
        made("a_b==1", "A.b==2")


def test_what_this_environment_lacks_is_told_with_the_command() -> None:
    here = version("keras")
    assert list(missing_here([f"Keras=={here}", 'none==1; python_version < "3"'])) == []
    lines = list(missing_here(["keras==1.0", "no-such-package==2.0"]))
    way_on = "pip install keras==1.0 no-such-package==2.0"
    assert lines == [
        f"requirements: keras==1.0 must be installed here, too, but this environment has keras {here}: {way_on}",
        f"requirements: no-such-package==2.0 must be installed here, too, but this environment lacks it: {way_on}",
    ]
