"""Sources, the ledger of signals, strategies and follows; each table with its policies."""

import json
import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import PLATFORM, platform_rows, tenant_reference, tenant_table

FOREX = ["EURUSD", "GBPUSD", "USDJPY", "EURJPY", "GBPJPY"]


def _parameters(version, symbols, risk_percent, atr, max_positions, *, target_r=None):
    return {
        "signals": ["MIKROBOT_FASTVERSION_4PHASE"],
        "symbols": symbols,
        "risk_percent": risk_percent,
        "atr_pips_min": atr[0],
        "atr_pips_max": atr[1],
        "max_positions": max_positions,
        "target_r": target_r,
        "rules": {
            "version": version,
            "max_age_s": 60,
            "max_ahead_s": 30,
            "max_exit_age_s": None,
            "requires_phases": True,
            "target_tolerance": "0.00001",
            "requires_trigger_outside_spread": False,
            "requires_stop": False,
            "min_stop_spreads": "1",
            "requires_quote": True,
            "max_quote_age_s": 30,
            "max_price_percent": "0.5",
            "sides": ["buy", "sell"],
            "cooldown_s": 900,
            "opposite": "skip",
            "min_power": None,
            "min_confluence": None,
        },
    }


# id, code, version, name, is it a beta, who may follow it, parameters: as in trading/strategies/originals.py.
STRATEGIES = [
    (
        "0197a1f0-0000-7000-8000-00000000a001",
        "m5_bos_m1_retest",
        "1.0.0",
        "M5 BOS + M1 Retest",
        False,
        ["basic", "professional", "enterprise"],
        _parameters("m5_bos_m1_retest/1.0.0", FOREX, "0.55", ("4", "15"), 3),
    ),
    (
        "0197a1f0-0000-7000-8000-00000000a002",
        "submarine_gold",
        "3.0.0",
        "Submarine Gold Standard",
        False,
        ["professional", "enterprise"],
        _parameters(
            "submarine_gold/3.0.0",
            [*FOREX, "XAUUSD", "GER40", "BCHUSD", "_FERRARI.IT"],
            "0.55",
            ("4", "15"),
            5,
            target_r="1.5",
        ),
    ),
    (
        "0197a1f0-0000-7000-8000-00000000a003",
        "ferrari_scalping",
        "0.9.0",
        "Ferrari Scalping",
        True,
        ["enterprise"],
        _parameters("ferrari_scalping/0.9.0", ["_FERRARI.IT", "_STELLANTIS.IT"], "0.75", ("5", "20"), 2),
    ),
]

# Before the policies: afterwards not even the owner of the table may write a row of the platform.
SEED = migrations.RunSQL(
    [
        (
            "INSERT INTO trading_strategy (organization_id, id, code, version, name, is_beta, tiers, parameters, created_at)"
            f" VALUES ({PLATFORM}, %s, %s, %s, %s, %s, %s, %s, now())",
            [*columns, json.dumps(tiers), json.dumps(parameters)],
        )
        for *columns, tiers, parameters in STRATEGIES
    ],
    reverse_sql=migrations.RunSQL.noop,
)

# What the ledger holds is written by the engine and changed by nobody: bytes and events never, states by column. DELETE is
# for closing an organization.
LEDGER_GRANTS = """
GRANT INSERT, DELETE ON trading_rawsignal, trading_signal, trading_signalevent TO mikrobot_engine;
GRANT UPDATE (state, code, sentence, signal_id, attempts) ON trading_rawsignal TO mikrobot_engine;
GRANT UPDATE (state, code, sentence, judged_at, attempts) ON trading_signal TO mikrobot_engine;

-- The owner, too, is held to it.
CREATE FUNCTION trading_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER trading_signalevent_append_only BEFORE UPDATE OR TRUNCATE ON trading_signalevent
    FOR EACH STATEMENT EXECUTE FUNCTION trading_refuse();
CREATE TRIGGER trading_rawsignal_bytes BEFORE UPDATE OF organization_id, source_id, body, size, sha256, headers, received_at
    ON trading_rawsignal FOR EACH STATEMENT EXECUTE FUNCTION trading_refuse();
"""
LEDGER_GRANTS_UNDO = """
DROP TRIGGER trading_rawsignal_bytes ON trading_rawsignal;
DROP TRIGGER trading_signalevent_append_only ON trading_signalevent;
DROP FUNCTION trading_refuse();
"""

WATCHED = ["staff", "doctor"]
POLICIES = [
    tenant_table("trading_source", read=WATCHED),
    tenant_table("trading_sourcestream", read=WATCHED),
    tenant_table("trading_sourcenonce", write=["signals.sweep"]),
    tenant_table("trading_clockarrival", write=["signals.sweep"]),
    tenant_table("trading_rawsignal", read=["signals.sweep", *WATCHED], grants="SELECT"),
    tenant_table("trading_signal", read=["signals.sweep", *WATCHED], grants="SELECT"),
    tenant_table("trading_signalevent", read=WATCHED, grants="SELECT"),
    tenant_table("trading_strategy", read=WATCHED),
    tenant_table("trading_follow", read=WATCHED),
    # Everybody may see that a source of the platform exists, what it signalled and what was thought of it. The bytes it
    # sent, and what its clients do, are the platform's own business.
    *(
        platform_rows(table, scope="signals.platform", is_shared=is_shared)
        for table, is_shared in [
            ("trading_source", True),
            ("trading_sourcestream", False),
            ("trading_sourcenonce", False),
            ("trading_clockarrival", False),
            ("trading_rawsignal", False),
            ("trading_signal", True),
            ("trading_signalevent", True),
            ("trading_strategy", True),
        ]
    ),
    tenant_reference("trading_sourcestream", "source_id", "trading_source", on_delete="CASCADE"),
    tenant_reference("trading_follow", "account_id", "accounts_tradingaccount"),
    migrations.RunSQL(
        "ALTER TABLE trading_follow ADD CONSTRAINT trading_follow_strategy_of_its_owner"
        " FOREIGN KEY (strategy_organization_id, strategy_id) REFERENCES trading_strategy (organization_id, id)"
        " DEFERRABLE INITIALLY IMMEDIATE",
        reverse_sql="ALTER TABLE trading_follow DROP CONSTRAINT trading_follow_strategy_of_its_owner",
    ),
    migrations.RunSQL(LEDGER_GRANTS, reverse_sql=LEDGER_GRANTS_UNDO),
]


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0004_drill_effect"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClockArrival",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("source_id", models.UUIDField()),
                ("stamp_s", models.BigIntegerField()),
                ("resolution_s", models.PositiveSmallIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["organization_id", "source_id", "-at"], name="trading_clockarrival_recent")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization_id", "source_id", "stamp_s", "resolution_s"),
                        name="trading_clockarrival_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RawSignal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("source_id", models.UUIDField()),
                ("body", models.BinaryField()),
                ("size", models.BigIntegerField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("headers", models.JSONField(default=dict)),
                ("declared_bytes", models.BigIntegerField(null=True)),
                ("received_at", models.DateTimeField()),
                ("trace_id", models.CharField(blank=True, max_length=32)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "Received"),
                            ("read", "Read as a signal"),
                            ("duplicate", "Duplicate"),
                            ("refused", "Refused"),
                            ("quarantined", "Quarantined"),
                        ],
                        default="received",
                        max_length=12,
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=60)),
                ("sentence", models.TextField(blank=True)),
                ("signal_id", models.UUIDField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "received")),
                        fields=["received_at"],
                        name="trading_rawsignal_waiting",
                    ),
                    models.Index(fields=["organization_id", "-received_at"], name="trading_rawsignal_latest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "id"), name="trading_rawsignal_tenant"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["received", "read", "duplicate", "refused", "quarantined"])),
                        name="trading_rawsignal_state",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Signal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("source_id", models.UUIDField()),
                ("raw_id", models.UUIDField()),
                ("dedupe_key", models.CharField(max_length=80)),
                ("slot", models.BigIntegerField()),
                ("received_at", models.DateTimeField()),
                ("dialect", models.CharField(max_length=60)),
                ("action", models.CharField(max_length=8)),
                ("symbol", models.CharField(max_length=40)),
                ("side", models.CharField(blank=True, max_length=4)),
                ("order_kind", models.CharField(max_length=10)),
                ("strategy", models.CharField(blank=True, max_length=80)),
                ("entry", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("reference", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("stop", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("stop_unit", models.CharField(blank=True, max_length=8)),
                ("target", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("target_unit", models.CharField(blank=True, max_length=8)),
                ("quantity", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("power", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("confluence", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("confidence", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("draft", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("valid", "Valid"),
                            ("rejected", "Rejected"),
                            ("quarantined", "Quarantined"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=60)),
                ("sentence", models.TextField(blank=True)),
                ("judged_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["received_at"], name="trading_signal_waiting"
                    ),
                    models.Index(fields=["organization_id", "symbol", "-received_at"], name="trading_signal_symbol"),
                    models.Index(fields=["organization_id", "-received_at"], name="trading_signal_latest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "id"), name="trading_signal_tenant"),
                    models.UniqueConstraint(
                        fields=("organization_id", "source_id", "dedupe_key", "slot"), name="trading_signal_once"
                    ),
                    models.UniqueConstraint(fields=("organization_id", "raw_id"), name="trading_signal_of_one_message"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["waiting", "valid", "rejected", "quarantined"])),
                        name="trading_signal_state",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SignalEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("raw_id", models.UUIDField()),
                ("signal_id", models.UUIDField(null=True)),
                ("strategy_id", models.UUIDField(null=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("received", "Received"),
                            ("parsed", "Read"),
                            ("refused", "Refused"),
                            ("duplicate", "Came again"),
                            ("gap", "Messages are missing before it"),
                            ("judged", "Judged"),
                            ("moved_on", "Stood still and was moved on"),
                            ("quarantined", "Quarantined"),
                        ],
                        max_length=12,
                    ),
                ),
                ("verdict", models.CharField(blank=True, max_length=8)),
                ("code", models.CharField(blank=True, max_length=60)),
                ("sentence", models.TextField(blank=True)),
                ("evidence", models.JSONField(default=dict)),
                ("facts", models.JSONField(null=True)),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["organization_id", "raw_id", "id"], name="trading_signalevent_of_raw"),
                    models.Index(
                        condition=models.Q(("signal_id__isnull", False)),
                        fields=["organization_id", "signal_id", "id"],
                        name="trading_signalevent_of_signal",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "judged")),
                        fields=("organization_id", "signal_id", "strategy_id"),
                        name="trading_signalevent_judged_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Source",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("kind", models.CharField(max_length=32, verbose_name="kind")),
                ("is_enabled", models.BooleanField(default=True, verbose_name="enabled")),
                ("per_minute", models.PositiveIntegerField(default=60, verbose_name="messages a minute")),
                (
                    "levels",
                    models.CharField(
                        choices=[
                            ("price", "price"),
                            ("distance", "distance"),
                            ("pips", "pips"),
                            ("percent", "percent"),
                            ("unknown", "unknown"),
                        ],
                        default="unknown",
                        max_length=8,
                        verbose_name="unit of levels",
                    ),
                ),
                ("power_scale", models.CharField(default="percent", max_length=20)),
                ("confluence_scale", models.CharField(default="L0-L4", max_length=20)),
                ("confidence_scale", models.CharField(default="C1-C3", max_length=20)),
                ("clock_zone", models.CharField(blank=True, max_length=64)),
                ("clock_shift_s", models.IntegerField(default=0)),
                ("clock_offset_s", models.IntegerField(editable=False, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "id"), name="trading_source_tenant"),
                    models.UniqueConstraint(fields=("organization_id", "name"), name="trading_source_name"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SourceNonce",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("source_id", models.UUIDField()),
                ("nonce", models.CharField(max_length=64)),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["expires_at"], name="trading_sourcenonce_expiry")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization_id", "source_id", "nonce"), name="trading_sourcenonce_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Strategy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("code", models.CharField(max_length=40)),
                ("version", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("is_beta", models.BooleanField(default=False, verbose_name="beta")),
                ("tiers", models.JSONField(default=list)),
                ("parameters", models.JSONField()),
                ("retired_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "id"), name="trading_strategy_tenant"),
                    models.UniqueConstraint(
                        fields=("organization_id", "code", "version"), name="trading_strategy_version"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SourceStream",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("name", models.CharField(max_length=64)),
                ("last_sequence", models.BigIntegerField()),
                ("missing", models.BigIntegerField(default=0)),
                ("seen_at", models.DateTimeField()),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="trading.source",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "id"), name="trading_sourcestream_tenant"),
                    models.UniqueConstraint(
                        fields=("organization_id", "source", "name"), name="trading_sourcestream_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Follow",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "strategy_organization_id",
                    models.UUIDField(default=uuid.UUID("00000000-0000-0000-0000-000000000000")),
                ),
                (
                    "risk_mode",
                    models.CharField(
                        choices=[
                            ("strategy", "As the strategy says"),
                            ("percent", "Percent of the account"),
                            ("quantity", "Fixed quantity"),
                        ],
                        default="strategy",
                        max_length=10,
                    ),
                ),
                ("risk_value", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
                ("overrides", models.JSONField(default=dict)),
                ("symbols", models.JSONField(default=list)),
                ("sides", models.JSONField(default=list)),
                ("windows", models.JSONField(default=list)),
                ("is_paused", models.BooleanField(default=False)),
                ("pause_reason", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tradingaccount",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trading.strategy",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="trading_follow_tenant"),
                    models.UniqueConstraint(fields=("organization", "account", "strategy"), name="trading_follow_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("strategy_organization_id", uuid.UUID("00000000-0000-0000-0000-000000000000")),
                            ("strategy_organization_id", models.F("organization_id")),
                            _connector="OR",
                        ),
                        name="trading_follow_of_platform_or_own",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("risk_mode", "strategy"), ("risk_value__isnull", True)),
                            models.Q(
                                models.Q(("risk_mode", "strategy"), _negated=True),
                                ("risk_value__gt", 0),
                                ("risk_value__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="trading_follow_risk_is_said",
                    ),
                ],
            },
        ),
        SEED,
        *POLICIES,
    ]
