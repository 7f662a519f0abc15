"""Benches: one object for programs, lines for people, and nothing left behind."""

from __future__ import annotations

import io
import json
import os
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from accounts.models import Organization
from accounts.tenancy import system_scope
from mikrobot_platform.drills import organizations

SMALL = ("--events", "40", "--organizations", "2")


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("bench", *words, stdout=out)
    return out.getvalue()


def test_a_bench_measures_itself_and_its_baseline(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[UUID] = []
    create = organizations.create

    def remember(ids: list[UUID]) -> None:
        made.extend(ids)
        create(ids)

    monkeypatch.setattr(organizations, "create", remember)
    measured = json.loads(run("outbox", *SMALL, "--json"))
    assert set(measured) == {"name", "commit", "machine", "parameters", "results"}
    assert (measured["name"], measured["parameters"]) == ("outbox", {"events": 40, "organizations": 2})
    assert set(measured["results"]) == {"batch_per_s", "one_by_one_per_s", "ratio"}
    assert all(number > 0 for number in measured["results"].values())
    assert "relaying them" in capsys.readouterr().err
    assert len(made) == 2
    with system_scope("doctor"):
        assert not Organization.objects.filter(pk__in=made).exists()
    assert not (settings.DATA_DIR / "drills" / f"bench-outbox-{os.getpid()}").exists()


def test_people_read_lines() -> None:
    lines = run("outbox", *SMALL).splitlines()
    assert [line.split()[0] for line in lines] == ["batch_per_s", "one_by_one_per_s", "ratio"]


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        run("everything")


def test_the_bench_of_the_gate_decides_and_compares() -> None:
    measured = json.loads(run("gate", "--accounts", "40", "--json"))
    assert set(measured["results"]) == {
        "pure_per_s", "accounts_1000_ms", "accounts_1000_one_process_ms", "alone_per_s", "ratio", "sends_order_of_1000",
    }  # fmt: skip
    assert measured["results"]["sends_order_of_1000"] > 900  # what is measured are whole lists, and not early denials
