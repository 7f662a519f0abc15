"""A stranger sees nothing: every model, every address, every task is tried as somebody it does not belong to.

The walks fail when something new is not covered: a tenant model needs a maker in MAKERS, a name that an address
captures needs a value in parameters().
"""

from __future__ import annotations

import inspect
import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, connections, transaction
from django.db.models import Model
from django.db.utils import DatabaseError
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from accounts import audit, outbox
from accounts.jobs import HouseTask, TenantTask
from accounts.models import (
    Acknowledgement,
    DataExport,
    DataKey,
    DrillEffect,
    Invitation,
    KeyScope,
    Membership,
    Organization,
    OutboxDelivery,
    OutboxEvent,
    TierGrant,
)
from accounts.models.audit import PLATFORM_ID
from accounts.models.base import TenantRow
from accounts.services import keys, members, staff
from accounts.tenancy import SYSTEM_SCOPES, NoTenant, ScopeError, atomic, person_scope, system_scope, tenant_scope
from accounts.tests import people
from accounts.tests.people import Team, client_for, team
from accounts.tiers import Tier
from mikrobot_platform.celery import app
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.events import EventName
from risk_management.models import (
    AccountEvent,
    AccountLimits,
    AccountState,
    DailyQuota,
    QuotaClaim,
    Receipt,
    ReceiptChain,
    SharedFacts,
    Switch,
)
from risk_management.rules.settings import Limits
from risk_management.tests.rows import claim, decide, facts_of, observed, told_program
from trading.ledger import ledger_of
from trading.models import (
    Booking,
    ClockArrival,
    Fill,
    Follow,
    Order,
    Position,
    RawSignal,
    Shard,
    Signal,
    SignalEvent,
    Source,
    SourceFile,
    SourceMinute,
    SourceNonce,
    SourceSecret,
    SourceStream,
    Strategy,
    VenueLink,
)
from trading.pipeline import Delivery, Outcome
from trading.services import sources
from trading.tests import orders
from trading.tests.sources import make_source, rest, sent


def tenant_models() -> list[type[TenantRow]]:
    return [model for model in apps.get_models() if issubclass(model, TenantRow)]


# --- One row of everything -------------------------------------------------------------------------------------------
def _event(cast: Team) -> OutboxEvent:
    return outbox.publish(EventName.MEMBER_JOINED, user=str(cast.alice.pk))


def _delivery(cast: Team) -> OutboxDelivery:
    row: OutboxDelivery = OutboxDelivery.objects.create(event_id=1, subscriber="test")
    return row


def _delivered(cast: Team) -> Outcome:
    """Let a signal come in; the ledger is written by the engine, in a transaction of its own."""
    return sent(make_source(cast.house.pk), rest(), now=timezone.now())


def _counted(cast: Team) -> SourceMinute:
    source = make_source(cast.house.pk)
    with ledger_of(cast.house.pk):
        SourceMinute.turned_away(cast.house.pk, source.pk, "test", now=timezone.now())
    row: SourceMinute = SourceMinute.objects.get(source_id=source.pk)
    return row


def _file(cast: Team) -> SourceFile:
    source = make_source(cast.house.pk, kind="ea_file")
    with ledger_of(cast.house.pk):
        return SourceFile.held(source)


def _claimed(cast: Team) -> DailyQuota:
    claim(cast.house.pk)
    row: DailyQuota = DailyQuota.objects.latest("pk")
    return row


def _grant(cast: Team) -> TierGrant:
    """Let staff grant a tier; the web cannot."""
    with system_scope("staff"):
        staff.grant_tier(cast.house.pk, Tier.BASIC, "for a test", until=timezone.now() + timedelta(days=1))
    row: TierGrant = TierGrant.objects.latest("pk")
    return row


def _receipt(cast: Team) -> Receipt:
    """Let the gate decide; receipts are written by the engine, in a transaction of its own."""
    (receipt_id,) = decide([facts_of(cast.house.pk)], owner=cast.house.pk).values()
    row: Receipt = Receipt.objects.get(pk=receipt_id)
    return row


MAKERS: dict[str, Callable[[Team], Any]] = {
    "accounts.Membership": lambda cast: Membership.objects.get(user=cast.alice),
    "accounts.Invitation": lambda cast: members.invite(cast.as_alice, f"guest-{uuid4().hex}@example.com", "viewer"),
    "accounts.Acknowledgement": lambda cast: Acknowledgement.objects.create(
        user=cast.alice, document="risk", version=f"test-{uuid4().hex[:8]}"
    ),
    "accounts.ApiKey": lambda cast: keys.create(cast.as_alice, name="key", scopes=[KeyScope.READ])[0],
    "accounts.TradingAccount": lambda cast: people.make_account(cast.as_alice, f"Account {uuid4().hex[:6]}"),
    "accounts.DataKey": lambda cast: DataKey.objects.first(),
    "accounts.DataExport": lambda cast: DataExport.objects.create(requested_by=cast.as_alice.membership),
    "accounts.AuditEntry": lambda cast: audit.record("test.happened"),
    "accounts.OutboxEvent": _event,
    "accounts.OutboxDelivery": _delivery,
    "accounts.DrillEffect": lambda cast: DrillEffect.objects.create(event_id=1, publisher=0, number=0, pid=1),
    "accounts.TierGrant": _grant,
    "risk_management.DailyQuota": _claimed,
    "risk_management.QuotaClaim": lambda cast: QuotaClaim.objects.get(account_id=claim(cast.house.pk)),
    "risk_management.Receipt": _receipt,
    "risk_management.ReceiptChain": lambda cast: ReceiptChain.objects.get(hash=_receipt(cast).hash),
    "risk_management.SharedFacts": lambda cast: SharedFacts.objects.get(sha256=_receipt(cast).shared_sha256),
    "risk_management.AccountLimits": lambda cast: AccountLimits.objects.create(
        account=people.make_account(cast.as_alice, f"Account {uuid4().hex[:6]}"),
        current=plain.text(Limits(max_leverage=Decimal(30))),
        changed_at=timezone.now(),
    ),
    "risk_management.AccountState": lambda cast: AccountState.objects.get(account_id=observed(cast)),
    "risk_management.AccountEvent": lambda cast: AccountEvent.objects.get(account_id=observed(cast)),
    "risk_management.AccountProgram": told_program,
    "risk_management.Switch": lambda cast: Switch.objects.create(
        level="organization", reason="a test", set_at=timezone.now(), set_by_kind="system"
    ),
    "trading.Source": lambda cast: Source.objects.create(name=f"Source {uuid4().hex[:8]}", kind="rest"),
    "trading.SourceSecret": lambda cast: SourceSecret.objects.create(
        source=MAKERS["trading.Source"](cast), digest=uuid4().bytes
    ),
    "trading.SourceFile": _file,
    "trading.SourceMinute": _counted,
    "trading.SourceStream": lambda cast: SourceStream.objects.create(
        source=MAKERS["trading.Source"](cast), name="stream", last_sequence=1, seen_at=timezone.now()
    ),
    "trading.SourceNonce": lambda cast: SourceNonce.objects.create(
        source_id=uuid4(), nonce="n", expires_at=timezone.now() + timedelta(hours=1)
    ),
    "trading.ClockArrival": lambda cast: ClockArrival.objects.create(
        source_id=uuid4(), stamp_s=0, resolution_s=60, at=timezone.now()
    ),
    "trading.RawSignal": lambda cast: RawSignal.objects.get(pk=_delivered(cast).raw_id),
    "trading.Signal": lambda cast: Signal.objects.get(pk=_delivered(cast).signal_id),
    "trading.SignalEvent": lambda cast: SignalEvent.objects.filter(raw_id=_delivered(cast).raw_id).first(),
    "trading.Strategy": lambda cast: Strategy.objects.create(
        code="own", version=uuid4().hex[:8], name="Own", parameters={}
    ),
    "trading.Follow": lambda cast: Follow.objects.create(
        account=people.make_account(cast.as_alice, f"Account {uuid4().hex[:6]}"),
        strategy=Strategy.objects.filter(organization_id=PLATFORM_ID).first(),
    ),
    "trading.Shard": lambda cast: Shard.objects.get(pk=orders.make_shard(cast.house.pk).pk),
    "trading.VenueLink": lambda cast: VenueLink.objects.get(pk=orders.make_link(cast.house.pk).pk),
    "trading.Order": lambda cast: Order.objects.get(pk=orders.make_order(cast.house.pk).pk),
    "trading.Fill": lambda cast: Fill.objects.get(pk=orders.make_fill(cast.house.pk).pk),
    "trading.Booking": lambda cast: Booking.objects.get(pk=orders.make_booking(cast.house.pk).pk),
    "trading.Position": lambda cast: Position.objects.get(pk=orders.make_position(cast.house.pk).pk),
}


def make(label: str, cast: Team) -> Any:
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        return MAKERS[label](cast)


@pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model._meta.label)
def test_a_stranger_finds_changes_and_adds_nothing(model: type[TenantRow]) -> None:
    assert model._meta.label in MAKERS, f"say in MAKERS how to make a {model._meta.label}"
    cast = team()
    row = make(model._meta.label, cast)
    table = connection.ops.quote_name(model._meta.db_table)

    with pytest.raises(NoTenant):
        model.objects.count()
    with tenant_scope(cast.other.pk), atomic():
        assert not model.objects.filter(pk=row.pk).exists()
        with connection.cursor() as cursor:  # past the manager, with PostgreSQL alone on guard
            cursor.execute(f"select count(*) from {table} where organization_id = %s", [cast.house.pk])
            assert cursor.fetchone() == (0,)
    for statement in (
        f"update {table} set organization_id = organization_id where id = %s",
        f"delete from {table} where id = %s",
    ):
        problem = ""
        try:
            with tenant_scope(cast.other.pk), atomic(), connection.cursor() as cursor:
                cursor.execute(statement, [row.pk])
                assert cursor.rowcount == 0
        except DatabaseError as error:
            problem = str(error)
        assert re.search("^$|permission denied|append-only", problem)
    with tenant_scope(cast.house.pk), atomic():
        assert model.objects.filter(pk=row.pk).exists()

    with connection.cursor() as cursor:  # no scope at all
        cursor.execute(f"select count(*) from {table}")
        assert cursor.fetchone() == (0,)
    with pytest.raises(ScopeError), tenant_scope(cast.other.pk), atomic():
        row.save()
    refused = pytest.raises(DatabaseError, match=r"row-level security|permission denied")
    with refused, tenant_scope(cast.other.pk), atomic():
        _insert_copy(model, row)


def test_a_stranger_does_not_touch_the_organization_itself() -> None:
    cast = team()
    with tenant_scope(cast.other.pk), atomic(), connection.cursor() as cursor:
        cursor.execute("select id from accounts_organization")
        assert cursor.fetchall() == [(cast.other.pk,)]
        for statement in (
            "update accounts_organization set name = 'Taken' where id = %s",
            "delete from accounts_organization where id = %s",
        ):
            cursor.execute(statement, [cast.house.pk])
            assert cursor.rowcount == 0
    with pytest.raises(DatabaseError, match="row-level security"), tenant_scope(cast.other.pk), atomic():
        Organization.objects.create(name="In somebody's name")
    with tenant_scope(cast.house.pk), atomic():
        assert Organization.objects.get().name == cast.house.name


def _insert_copy(model: type[TenantRow], row: Any) -> None:
    """Insert the same row again by raw SQL, still carrying the other organization's id."""
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in model._meta.local_fields)
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in model._meta.local_fields]
    with connection.cursor() as cursor:
        cursor.execute(f"insert into {table} ({names}) values ({', '.join(['%s'] * len(values))})", values)


def test_a_foreign_key_cannot_point_across_tenants() -> None:
    cast = team()
    theirs = cast.as_charlie.membership
    assert theirs is not None
    invitation = make("accounts.Invitation", cast)
    with pytest.raises(DatabaseError, match="same_organization"), tenant_scope(cast.house.pk), atomic():
        Invitation.objects.filter(pk=invitation.pk).update(invited_by_id=theirs.pk)


def test_every_reference_between_tenant_rows_is_composite() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select conrelid::regclass::text, conname from pg_constraint c where contype = 'f' and exists ("
            "  select from pg_attribute a where a.attrelid = c.conrelid and a.attname = 'organization_id')"
            " and exists (select from pg_attribute a where a.attrelid = c.confrelid and a.attname = 'organization_id')"
            " and array_length(conkey, 1) = 1"
        )
        assert cursor.fetchall() == []


def test_a_transaction_belongs_to_one_organization() -> None:
    cast = team()
    with tenant_scope(cast.house.pk), atomic():
        with pytest.raises(ScopeError), tenant_scope(cast.other.pk):
            pytest.fail("entered another tenant inside an open transaction")
        assert Membership.objects.count() == 3
    with tenant_scope(cast.other.pk), atomic():
        assert Membership.objects.count() == 1


def test_the_scope_survives_savepoints_and_errors() -> None:
    cast = team()
    with tenant_scope(cast.house.pk), atomic():
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select 1 / 0")
        assert Membership.objects.count() == 3
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from accounts_membership")
        assert cursor.fetchone() == (0,)


def test_a_person_sees_their_own_memberships_and_nothing_else() -> None:
    cast = team()
    with person_scope(cast.bob.pk), atomic():
        assert [row.organization_id for row in Membership.objects.all()] == [cast.house.pk]
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from accounts_membership")
            assert cursor.fetchone() == (1,)
            cursor.execute("select count(*) from accounts_apikey")
            assert cursor.fetchone() == (0,)


def test_system_scopes_are_named_narrow_and_only_for_the_engine() -> None:
    cast = team()
    with pytest.raises(ScopeError), system_scope("whatever"):
        pytest.fail("an unnamed scope was entered")
    with system_scope("vault.rotate"), connections["engine"].cursor() as cursor:
        cursor.execute("select count(*) from accounts_apikey")  # not in this scope's tables
        assert cursor.fetchone() == (0,)
        with tenant_scope(cast.house.pk):
            assert Membership.objects.count() == 3
        assert DataKey.objects.filter(organization_id=cast.house.pk).exists()
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("select set_config('app.system_scope', 'staff', true)")
        cursor.execute("select count(*) from accounts_membership")  # the app role gains nothing by claiming one
        assert cursor.fetchone() == (0,)


def test_system_scopes_are_audited() -> None:
    from accounts.models import AuditEntry
    from accounts.models.audit import PLATFORM_ID

    who = audit.Actor(kind="staff", id=str(uuid4()), reason="a customer asked")
    with audit.acting_as(who), system_scope("staff"):
        entry = AuditEntry.objects.filter(organization_id=PLATFORM_ID, actor_id=who.id).get()
    assert (entry.action, entry.subject, entry.data["reason"]) == ("scope.entered", "staff", "a customer asked")


def test_scopes_in_policies_are_the_scopes_in_code() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct (regexp_matches(qual, '''([a-z]+(?:\\.[a-z]+)?)''::text', 'g'))[1] from pg_policies"
            " where policyname like 'system_%'"
        )
        used = {name for (name,) in cursor.fetchall() if not name.startswith("app.")}
    assert used == set(SYSTEM_SCOPES)


def ours(alias: str) -> Any:
    return connections[alias]


@pytest.fixture
def pool_of_four() -> Iterator[None]:
    """Make the app role's connections scarce."""
    wrapper = ours("default")
    options = connections.settings["default"]["OPTIONS"]
    before = options["pool"]
    wrapper.close()
    wrapper.close_pool()
    options["pool"] = {**before, "max_size": 4, "timeout": 60}
    yield
    wrapper.close()
    wrapper.close_pool()
    options["pool"] = before


@pytest.mark.usefixtures("pool_of_four")
def test_sixteen_threads_share_four_connections_and_no_row() -> None:
    cast = team()
    houses = [(cast.house.pk, 3), (cast.other.pk, 1)]
    foreign: list[Any] = []

    def work(number: int) -> None:
        try:
            for turn in range(63):  # 16 x 63 = 1,008
                organization_id, expected = houses[(number + turn) % 2]
                with tenant_scope(organization_id), atomic(), connection.cursor() as cursor:
                    cursor.execute("select organization_id from accounts_membership")  # past the manager's own filter
                    rows = [row[0] for row in cursor.fetchall()]
                with connection.cursor() as cursor:
                    cursor.execute("select count(*) from accounts_membership")
                    leaked = cursor.fetchone()
                if set(rows) != {organization_id} or len(rows) != expected or leaked != (0,):
                    foreign.append((organization_id, rows, leaked))
                connection.close()  # back to the pool
        except Exception as error:
            foreign.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert foreign == []
    assert ours("default").pool.get_stats()["pool_max"] == 4


@pytest.mark.parametrize("alias", ["default", "engine"])
def test_nothing_is_kept_at_session_level(alias: str) -> None:
    """PgBouncer in transaction mode hands the session to somebody else: no setting, statement or lock may stay.

    Statements are kept where the connection is our own; behind PgBouncer the threshold is None (test_settings.py).
    """
    cast = team()
    connections[alias].ensure_connection()
    raw: Any = connections[alias].connection
    threshold, raw.prepare_threshold = raw.prepare_threshold, None
    before = raw.execute("select name from pg_prepared_statements").fetchall()
    if alias == "engine":
        with system_scope("staff"), tenant_scope(cast.house.pk):
            assert Membership.objects.count() == 3
            assert [ask("select %s::int", [7]) for _ in range(5)] == [[(7,)]] * 5
    else:
        with tenant_scope(cast.house.pk), atomic():
            assert Membership.objects.count() == 3
            assert [ask("select %s::int", [7]) for _ in range(5)] == [[(7,)]] * 5
    with connections[alias].cursor() as cursor:
        cursor.execute("select name from pg_settings where source = 'session'")
        assert cursor.fetchall() == []
        cursor.execute("select name from pg_prepared_statements")
        assert cursor.fetchall() == before
        cursor.execute("select mode from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")
        assert cursor.fetchall() == []
        cursor.execute("select nullif(current_setting('app.organization_id', true), '')")
        assert cursor.fetchone() == (None,)
    raw.prepare_threshold = threshold


def test_what_is_asked_again_is_planned_once_where_connections_are_our_own() -> None:
    with tenant_scope(team().house.pk), atomic():
        for number in range(5):
            assert ask("select %s::int + 1", [number]) == [(number + 1,)]
        with connections["default"].cursor() as cursor:
            cursor.execute("select count(*) from pg_prepared_statements where statement like 'select $1::int + 1'")
            assert cursor.fetchone() == (1,)


def test_raw_sql_as_the_app_role_sees_nothing() -> None:
    """Stand outside Django altogether, with the web's own password."""
    cast = team()
    values: dict[str, Any] = settings.DATABASES["default"]
    with psycopg.connect(
        host=values["HOST"],
        port=values["PORT"],
        dbname=values["NAME"],
        user=values["USER"],
        password=values["PASSWORD"],
    ) as raw:
        tables = raw.execute(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " where a.attname = 'organization_id' and c.relkind = 'r'"
        ).fetchall()
        assert len(tables) == len(tenant_models())
        for (table,) in [*tables, ("accounts_organization",)]:
            assert raw.execute(f"select count(*) from {table}").fetchone() == (0,), table
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            raw.execute(
                "insert into accounts_membership (id, organization_id, user_id, role, joined_at)"
                " values (gen_random_uuid(), %s, %s, 'owner', now())",
                [cast.other.pk, cast.bob.pk],
            )


# --- Addresses -------------------------------------------------------------------------------------------------------
# Where a visitor gets a page; everywhere else is a sign-in, a refusal, or nothing.
OPEN = (
    "",
    "health/",
    "metrics",
    "account/login/",
    "account/signup/",
    "account/confirm-email/",
    "account/password/reset/",
    "account/inactive/",
    "account/logout/",
    "account/2fa/webauthn/login/",
    "account/reauthenticate/",
    "invitation/",
    "documents/",
    "theme/",
    "local/mail/",
    "admin/login/",
    "static/",
)
# What a viewer may send: it changes the viewer, or nothing.
PERSONAL = (
    "account/",
    "acknowledgements/",
    "documents/",
    "invitation/",
    "local/mail/",
    "organizations/",
    "profile/",
    "security/",
    "team/leave/",
    "theme/",
)
# What looks at no session: who is signed in makes no difference there.
SESSIONLESS = ("health/", "metrics", "hooks/")


def walk(resolver: URLResolver, prefix: str = "") -> list[str]:
    found: list[str] = []
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern).lstrip("^").rstrip("$").replace("\\Z", "")
        found += walk(entry, route) if isinstance(entry, URLResolver) else [route]
    return sorted(set(found))


ROUTES = walk(get_resolver())


def parameters(cast: Team) -> dict[str, str]:
    """Give each captured name a value that belongs to alice; a name without one fails the walk."""
    made = {label: make(label, cast) for label in MAKERS}
    with tenant_scope(cast.house.pk), atomic():
        bob_seat = Membership.objects.get(user=cast.bob)
    source, raw = _source_with_a_message(cast)
    return {
        "account_id": str(made["accounts.TradingAccount"].pk),
        "key_id": str(made["accounts.ApiKey"].pk),
        "invitation_id": str(made["accounts.Invitation"].pk),
        "membership_id": str(bob_seat.pk),
        "export_id": str(made["accounts.DataExport"].pk),
        "source_id": str(source.pk),
        "receipt_id": str(made["risk_management.Receipt"].pk),
        "raw_id": str(raw.raw_id),
        "organization_id": str(cast.house.pk),
        "signal_id": str(made["trading.Signal"].pk),
        "switch_id": str(made["risk_management.Switch"].pk),
        "secret": "a-secret-that-nobody-has",
        "token": members.link(made["accounts.Invitation"]).rstrip("/").rsplit("/", 1)[-1],
        # Of libraries: nothing of a tenant stands behind these.
        "key": "x",
        "uidb36": "1",
        "pk": "1",
        "app_label": "accounts",
        "content_type_id": "1",
        "object_id": "1",
        "url": "x",
        "name": "risk",
        "path": "x",
        "code": "x",
    }


def _source_with_a_message(cast: Team) -> tuple[Source, Outcome]:
    """Make a source that has everything a source can have: two secrets, one of which is ending, and a message."""
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        source, _secret = sources.make(
            cast.as_alice, sources.ADDRESSED, sources.Setup(name=f"Alerts {uuid4().hex[:8]}")
        )
        sources.exchange_secret(cast.as_alice, source.pk)
    alert = {"action": "buy", "symbol": "MNQ1!", "comment": cast.alice.email}
    return source, sent(source, Delivery(body=json.dumps(alert).encode()), now=timezone.now())


def fill(route: str, values: dict[str, str]) -> str:
    """Turn a route into an address."""

    def value(found: re.Match[str]) -> str:
        name = found["name"] or found["regex"]
        assert name in values, f"say in parameters() what {name!r} in {route!r} is"
        return values[name]

    filled = re.sub(r"<(?:\w+:)?(?P<name>\w+)>|\(\?P<(?P<regex>\w+)>[^)]*\)", value, route)
    return "/" + filled.replace("(?:", "").replace(")?", "").replace("\\", "")


def snapshot(organization_id: UUID) -> dict[str, str | None]:
    """Fingerprint every row an organization has, and its own."""
    found = {}
    with tenant_scope(organization_id), atomic(), connection.cursor() as cursor:
        models: list[type[Model]] = [*tenant_models(), Organization]
        for model in models:
            table, key = connection.ops.quote_name(model._meta.db_table), "organization_id"
            if model is Organization:
                key = "id"
            cursor.execute(
                f"select md5(string_agg(t::text, '|' order by t::text)) from {table} t where {key} = %s",
                [organization_id],  # what the platform shares with everybody changes without anybody here
            )
            (found[model._meta.label],) = cursor.fetchone() or (None,)
    return found


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    """One cast for the walk over addresses; what would be changed would be noticed at once."""
    return team()


@pytest.fixture(scope="module", name="values")
def shared_values(cast: Team) -> dict[str, str]:
    return parameters(cast)


def typed(cast: Team) -> dict[str, str]:
    """Fill in what the forms ask for, so that a door is not closed merely because nothing was typed."""
    return {
        "name": "Taken over", "typed_name": cast.house.name, "email": "intruder@example.com", "role": "trader",
        "on": "1", "reason": "because I can", "scopes": "read", "days": "30", "once": uuid4().hex, "venue": "paper",
        "kind": "demo", "currency": "USD", "organization": str(cast.house.pk), "per_minute": "60", "levels": "price",
        "power_scale": "percent", "confluence_scale": "L0-L4", "confidence_scale": "C1-C3", "overlap": "0",
    }  # fmt: skip


class TestAddresses:
    """Every address, asked by everybody it does not belong to."""

    @pytest.mark.parametrize("route", ROUTES)
    def test_a_stranger_gets_nothing_and_changes_nothing(self, route: str, cast: Team, values: dict[str, str]) -> None:
        address = fill(route, values)
        charlie = client_for(cast.charlie)
        before = snapshot(cast.house.pk)
        for answer in (charlie.get(address), charlie.post(address, typed(cast)), charlie.delete(address)):
            assert answer.status_code < 500, (address, answer.status_code)
            body = answer.getvalue()
            if not route.startswith("invitation/"):  # its link is the permission to see who invites
                assert cast.house.name.encode() not in body
                assert cast.alice.email.encode() not in body
        assert snapshot(cast.house.pk) == before

    @pytest.mark.parametrize("route", ROUTES)
    def test_a_visitor_gets_a_sign_in(self, route: str, cast: Team, values: dict[str, str]) -> None:
        address = fill(route, values)
        before = snapshot(cast.house.pk)
        for answer in (Client().get(address), Client().post(address, typed(cast))):
            assert answer.status_code < 500, (address, answer.status_code)
            if not any(route == start or (start and route.startswith(start)) for start in OPEN):
                assert answer.status_code in {301, 302, 401, 403, 404, 405}, (address, answer.status_code)
        assert snapshot(cast.house.pk) == before

    @pytest.mark.parametrize("route", [one for one in ROUTES if not one.startswith((*PERSONAL, *SESSIONLESS))])
    def test_a_viewer_changes_nothing(self, route: str, cast: Team, values: dict[str, str]) -> None:
        address = fill(route, values)
        before = snapshot(cast.house.pk)
        bob = client_for(cast.bob)
        for answer in (bob.post(address, typed(cast)), bob.put(address), bob.delete(address)):
            assert answer.status_code in {302, 403, 404, 405} or route == "", (address, answer.status_code)
        assert snapshot(cast.house.pk) == before


# --- Tasks -----------------------------------------------------------------------------------------------------------
OURS = ("accounts.", "trading.", "risk_management.", "notifications.", "dashboard.", "mikrobot")


def our_tasks() -> list[Any]:
    app.autodiscover_tasks(force=True)
    return [task for name, task in sorted(app.tasks.items()) if name.startswith(OURS)]


@pytest.mark.parametrize("task", our_tasks(), ids=lambda task: task.name)
def test_a_task_enters_a_scope_or_refuses(task: Any) -> None:
    assert isinstance(task, HouseTask), f"{task.name} must descend from TenantTask or HouseTask"
    if not isinstance(task, TenantTask):
        # It belongs to the platform: it takes no tenant's ids from a message anybody could replay.
        assert not inspect.signature(task.run).parameters, f"{task.name} takes arguments; make it a TenantTask"
        return
    cast = team()
    values = parameters(cast)
    names = list(inspect.signature(task.run).parameters)
    with pytest.raises(NoTenant):
        task.apply(args=tuple(values[name] for name in names), throw=True)
    before = snapshot(cast.house.pk)
    task.apply(
        args=tuple(values[name] for name in names), headers={"mikrobot_organization": str(cast.other.pk)}, throw=False
    )
    assert snapshot(cast.house.pk) == before


def test_a_tenant_task_cannot_be_queued_without_a_tenant() -> None:
    queued = [task for task in our_tasks() if isinstance(task, TenantTask)]
    assert queued
    for task in queued:
        with pytest.raises(NoTenant):
            task.apply_async()
