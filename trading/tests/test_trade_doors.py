"""What programs may do about trades: stop everything, see orders and positions; each house its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from accounts.models import AuditEntry
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, client_for, make_account, team
from mikrobot_platform.kernel.market import Side
from risk_management.models import Level, Switch
from trading import flatten
from trading.desk import Door
from trading.models import Order
from trading.paper.control import PaperProcess
from trading.tests import books
from trading.tests.orders import make_order, make_position
from trading.tests.sources import at_once
from trading.tests.story import venue
from trading.tests.test_flatten import place
from trading.tests.test_rest_and_tickets import robot

STOP = "/api/v1/emergency-stop/"


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


@pytest.fixture(name="cast")
def own_cast() -> Team:
    return team()


def ask(client: Client, body: object, key: str = "", **headers: str) -> Any:
    told = headers or {"Idempotency-Key": key or uuid4().hex}
    return client.post(STOP, json.dumps(body), content_type="application/json", headers=told)


def read(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b"".join(answer.streaming_content))
    return found


def held(cast: Team, count: int) -> list[Door]:
    """Let accounts of the house hold a position each."""
    found = [
        Door(cast.house.pk, make_account(cast.as_alice, f"Account {number}").pk, "paper") for number in range(count)
    ]
    for door in found:
        place(door, Side.BUY)
    return found


def switched_off(cast: Team) -> list[Switch]:
    with tenant_scope(cast.house.pk), atomic():
        return list(Switch.objects.filter(organization_id=cast.house.pk).order_by("set_at"))


# --- The stop ---------------------------------------------------------------------------------------------------------
def test_a_program_stops_its_organization_and_the_same_key_is_the_same_stop(cast: Team, paper: PaperProcess) -> None:
    doors, [other] = held(cast, 2), held(team(), 1)
    client, key = robot(cast, "trade"), uuid4().hex
    body = {"level": "organization", "reason": "news ahead"}
    told = read(ask(client, body, key))
    assert {name: told[name] for name in ("accounts", "flat", "closed", "cancelled", "residual")} == {
        "accounts": 2, "flat": 2, "closed": 2, "cancelled": 0, "residual": [],
    }  # fmt: skip
    assert list(paper.count()["positions"]) == [str(other.account_id)]
    [row] = switched_off(cast)
    assert (str(row.pk), row.level, row.reason, row.set_by_kind) == (
        told["id"],
        Level.ORGANIZATION,
        "news ahead",
        "key",
    )
    place(doors[0], Side.BUY)
    again = read(ask(client, body, key))
    assert (again["id"], again["closed"], again["flat"]) == (told["id"], 1, 2)
    assert len(switched_off(cast)) == 1
    assert (
        ask(
            client, {"level": "account", "target": str(doors[0].account_id), "reason": "a doubt about it"}, key
        ).status_code
        == 422
    )
    with tenant_scope(cast.house.pk), atomic():
        assert AuditEntry.objects.filter(action="switch.off").count() == 1


def test_who_asks_twice_at_the_same_moment_has_set_one_switch(cast: Team, paper: PaperProcess) -> None:
    held(cast, 1)
    client, key = robot(cast, "trade"), uuid4().hex
    asked = at_once(3, lambda: read(ask(client, {"level": "organization", "reason": "news ahead"}, key)))
    assert len({one["id"] for one in asked}) == len(switched_off(cast)) == 1
    assert paper.count()["positions"] == {}


def test_an_account_is_stopped_alone_and_one_that_hangs_is_named(cast: Team, paper: PaperProcess) -> None:
    hangs, goes_on = held(cast, 2)
    paper.fault("drop_before", account=str(hangs.account_id), on="*", times=-1)
    body = {"level": "account", "target": str(hangs.account_id), "reason": "a doubt about it"}
    told = read(ask(client_for(cast.alice), body))
    assert (told["accounts"], told["flat"]) == (1, 0)
    [left] = told["residual"]
    assert (left["account"], left["venue"]) == (str(hangs.account_id), "paper")
    assert left["problem"] == f"no answer in {flatten.ANSWER_S} s"
    assert set(paper.count()["positions"]) == {str(hangs.account_id), str(goes_on.account_id)}
    assert [row.account_id for row in switched_off(cast)] == [hangs.account_id], "held, though nothing could be closed"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"level": "platform", "reason": "a doubt about it"}, 400, "invalid"),
        ({"level": "organization"}, 400, "invalid"),
        ({"level": "organization", "target": str(uuid4()), "reason": "a doubt about it"}, 400, "invalid"),
        ({"level": "account", "reason": "a doubt about it"}, 400, "invalid"),
        ({"level": "account", "target": "me", "reason": "a doubt about it"}, 400, "invalid"),
        ({"level": "account", "target": str(uuid4()), "reason": "a doubt about it"}, 404, "account_unknown"),
        ({"level": "strategy", "target": str(uuid4()), "reason": "a doubt about it"}, 404, "strategy_unknown"),
    ],
)
def test_what_cannot_be_meant_stops_nothing(cast: Team, body: object, status: int, code: str) -> None:
    answer = ask(robot(cast, "trade"), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert switched_off(cast) == []


def test_only_who_may_trade_stops_and_nobody_stops_others(cast: Team) -> None:
    theirs = make_account(cast.as_charlie)
    body = {"level": "account", "target": str(theirs.pk), "reason": "a doubt about it"}
    assert ask(robot(cast, "trade"), body).json()["code"] == "account_unknown", "as if there were none"
    own = {"level": "organization", "reason": "a doubt about it"}
    assert ask(robot(cast, "read"), own).status_code == 403
    assert ask(robot(cast, "signals"), own).status_code == 403
    assert ask(Client(), own).status_code in {401, 403}
    assert ask(client_for(cast.bob), own).status_code == 403, "whoever only looks"
    missing = ask(robot(cast, "trade"), own, accept="application/json")
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")


def test_a_person_lets_entries_go_on_and_a_program_does_not(cast: Team, paper: PaperProcess) -> None:
    told = read(ask(robot(cast, "trade"), {"level": "organization", "reason": "news ahead"}))
    where, why = f"{STOP}{told['id']}/", json.dumps({"reason": "it is over"})

    def lift(client: Client, at: str = where) -> int:
        return client.delete(at, why, content_type="application/json").status_code

    assert lift(robot(cast, "trade")) == 403
    assert lift(client_for(cast.charlie)) == 404
    assert lift(client_for(cast.alice), f"{STOP}{uuid4()}/") == 404
    assert lift(client_for(cast.alice)) == 204
    assert [row.lifted_at is None for row in switched_off(cast)] == [False]


# --- Lists ------------------------------------------------------------------------------------------------------------
def test_orders_are_listed_newest_first_and_each_house_sees_its_own(cast: Team, paper: PaperProcess) -> None:
    account = books.account_of(cast)
    sent = books.send(account)
    make_order(cast.other.pk, account_id=uuid4())
    client = robot(cast, "read")
    [shown] = client.get("/api/v1/orders/").json()["results"]
    assert {name: shown[name] for name in ("id", "account", "symbol", "side", "quantity", "state", "filled")} == {
        "id": str(sent.pk), "account": str(account.pk), "symbol": "EURUSD", "side": "buy", "quantity": "1",
        "state": "filled", "filled": "1",
    }  # fmt: skip
    assert client.get("/api/v1/orders/?state=planned").json() == {"results": [], "before": None}
    assert client.get(f"/api/v1/orders/?account={uuid4()}").json()["results"] == []
    assert client.get("/api/v1/orders/?state=maybe").status_code == 400
    assert client.get("/api/v1/orders/?before=yesterday").status_code == 400
    assert robot(cast, "signals").get("/api/v1/orders/").status_code == 403


def test_a_page_ends_where_the_next_begins(cast: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.api.trades.PAGE", 2)
    made = [make_order(cast.house.pk, account_id=uuid4()) for _ in range(5)]
    client, seen, before = robot(cast, "read"), [], ""
    while True:
        page = client.get(f"/api/v1/orders/{before}").json()
        seen += [UUID(one["id"]) for one in page["results"]]
        if page["before"] is None:
            break
        before = f"?before={page['before']}"
    assert seen == sorted((one.pk for one in made), reverse=True)


def test_positions_are_listed_open_or_closed(cast: Team) -> None:
    account = books.account_of(cast)
    row = make_position(cast.house.pk, account_id=account.pk, entry=Decimal("1.08400"))
    make_position(cast.other.pk, account_id=uuid4())
    client = robot(cast, "read")
    [shown] = client.get("/api/v1/positions/?state=open").json()["results"]
    assert (shown["id"], shown["entry"], shown["state"]) == (str(row.pk), "1.084", "open")
    assert client.get("/api/v1/positions/?state=closed").json()["results"] == []
    with tenant_scope(cast.house.pk), atomic():
        assert not Order.objects.exists()
