"""Who works here."""

from __future__ import annotations

import socket

import pytest

from tuner.base.user import LAUNCHED_BY, are_others, this_user


def test_a_user_is_a_name_and_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "anna")
    monkeypatch.delenv(LAUNCHED_BY, raising=False)
    assert this_user() == f"anna@{socket.gethostname().partition('.')[0]}"
    assert this_user({LAUNCHED_BY: "ben@laptop"}) == "ben@laptop"


def test_one_name_is_one_person_and_nobody_is_nobody_else() -> None:
    assert are_others("anna@a", "ben@a")
    assert not are_others("anna@a", "anna@b") and not are_others("", "ben@a") and not are_others("anna@a", "")
