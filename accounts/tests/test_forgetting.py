"""What is old is forgotten, what is young is kept, and one that cannot forget stops no other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import forgetting
from accounts.models import SignIn
from accounts.tests.people import make_user


def test_sign_ins_are_kept_for_a_year() -> None:
    user = make_user()
    for days in (1, 364, 366):
        SignIn.objects.create(user=user, outcome=SignIn.Outcome.SUCCESS, at=timezone.now() - timedelta(days=days))
    forgetting.forget_all()
    ages = [(timezone.now() - at).days for at in user.sign_ins.order_by("-at").values_list("at", flat=True)]
    assert ages == [1, 364]


def test_expired_sessions_go() -> None:
    now = timezone.now()
    Session.objects.create(session_key="old-session-of-a-test", expire_date=now - timedelta(days=1))
    Session.objects.create(session_key="new-session-of-a-test", expire_date=now + timedelta(days=1))
    forgetting.forget_all()
    kept = Session.objects.filter(session_key__endswith="-session-of-a-test").values_list("session_key", flat=True)
    assert list(kept) == ["new-session-of-a-test"]


def test_one_that_fails_is_said_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def stumble() -> None:
        raise LookupError("gone")

    table = {"first": lambda: done.append("first"), "second": stumble, "third": lambda: done.append("third")}
    monkeypatch.setattr(forgetting, "FORGETTERS", table)
    with pytest.raises(RuntimeError, match="could not forget: second"):
        forgetting.forget_all()
    assert done == ["first", "third"]
    assert "forgetting failed" in caplog.text
