"""What was asked of venues and what came of it: shards, orders, fills, positions. Hot tables: no foreign keys."""

import django.contrib.postgres.fields
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import ENGINE_ROLE, SYSTEM, platform_rows, system_read, tenant_table

WATCHED = ["staff", "doctor"]

# Written by the engine only. A fill is never changed; DELETE is for the end of an organization.
GRANTS = """
GRANT INSERT, UPDATE, DELETE ON trading_shard, trading_order, trading_position,
    trading_venuelink TO mikrobot_engine;
GRANT INSERT, DELETE ON trading_fill TO mikrobot_engine;
GRANT UPDATE (fanned_at) ON trading_signal TO mikrobot_engine;
"""

POLICIES = [
    tenant_table("trading_shard", read=WATCHED, write=["gate.decide"], grants="SELECT"),
    platform_rows("trading_shard", scope="gate.decide", is_shared=False),
    tenant_table("trading_order", read=WATCHED, write=["gate.decide", "orders.carry"], grants="SELECT"),
    tenant_table("trading_fill", read=[*WATCHED, "gate.decide"], write=["orders.carry"], grants="SELECT"),
    tenant_table("trading_position", read=[*WATCHED, "gate.decide"], write=["orders.carry"], grants="SELECT"),
    tenant_table("trading_venuelink", read=[*WATCHED, "gate.decide"], write=["orders.carry"], grants="SELECT"),
    *(system_read(f"trading_{table}", scope="gate.decide") for table in ("follow", "strategy", "signal")),
    system_read("accounts_tradingaccount", scope="orders.carry"),
    system_read("risk_management_switch", scope="orders.carry"),
    # An order that was withdrawn, or refused by its venue, gives its place in the day's quota back.
    *(
        migrations.RunSQL(
            f"CREATE POLICY system_write_orders_carry ON risk_management_{table} TO {ENGINE_ROLE}"
            f" USING ({SYSTEM} IN ('orders.carry'))",
            reverse_sql=f"DROP POLICY system_write_orders_carry ON risk_management_{table}",
        )
        for table in ("dailyquota", "quotaclaim")
    ),
    migrations.RunSQL(GRANTS, reverse_sql=migrations.RunSQL.noop),
]


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0009_refusals"),
        ("risk_management", "0003_switches"),
    ]

    operations = [
        migrations.CreateModel(
            name="Fill",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("account_id", models.UUIDField()),
                ("venue_fill_id", models.CharField(max_length=64)),
                ("client_id", models.CharField(blank=True, max_length=26)),
                ("venue_order_id", models.CharField(blank=True, max_length=64)),
                ("position_id", models.UUIDField(null=True)),
                ("symbol", models.CharField(max_length=40)),
                ("side", models.CharField(max_length=4)),
                ("quantity", models.DecimalField(decimal_places=24, max_digits=48)),
                ("price", models.DecimalField(decimal_places=24, max_digits=48)),
                ("fee", models.DecimalField(decimal_places=8, default=0, max_digits=28)),
                ("profit", models.DecimalField(decimal_places=8, max_digits=28, null=True)),
                ("at", models.DateTimeField()),
                ("told_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("account_id", models.UUIDField()),
                ("client_id", models.CharField(max_length=26)),
                (
                    "purpose",
                    models.CharField(
                        choices=[("entry", "entry"), ("stop", "stop"), ("target", "target"), ("exit", "exit")],
                        max_length=8,
                    ),
                ),
                ("signal_id", models.UUIDField(null=True)),
                ("receipt_id", models.UUIDField(null=True)),
                ("strategy_id", models.UUIDField(null=True)),
                ("position_id", models.UUIDField(null=True)),
                ("symbol", models.CharField(max_length=40)),
                ("venue_symbol", models.CharField(max_length=40)),
                ("side", models.CharField(choices=[("buy", "buy"), ("sell", "sell")], max_length=4)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("market", "market"),
                            ("limit", "limit"),
                            ("stop", "stop"),
                            ("stop_limit", "stop_limit"),
                            ("trailing", "trailing"),
                        ],
                        max_length=10,
                    ),
                ),
                ("quantity", models.DecimalField(decimal_places=24, max_digits=48)),
                ("limit", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("stop", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("trail", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("stop_loss", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("take_profit", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("risk", models.DecimalField(decimal_places=8, max_digits=28, null=True)),
                ("time_in_force", models.CharField(default="gtc", max_length=3)),
                ("reduces_only", models.BooleanField(default=False)),
                ("venue_position", models.CharField(blank=True, max_length=64)),
                ("state", models.CharField(default="planned", max_length=9)),
                ("reason_code", models.CharField(blank=True, max_length=60)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("venue_order_id", models.CharField(blank=True, max_length=64)),
                ("revision", models.BigIntegerField(default=0)),
                ("filled", models.DecimalField(decimal_places=24, default=0, max_digits=48)),
                ("average_price", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("decided_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("claimed_by", models.UUIDField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("acknowledged_at", models.DateTimeField(null=True)),
                ("filled_at", models.DateTimeField(null=True)),
                ("asked_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Position",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("account_id", models.UUIDField()),
                ("signal_id", models.UUIDField(null=True)),
                ("receipt_id", models.UUIDField(null=True)),
                ("strategy_id", models.UUIDField(null=True)),
                ("is_foreign", models.BooleanField(default=False)),
                ("venue_position_id", models.CharField(blank=True, max_length=64)),
                ("symbol", models.CharField(max_length=40)),
                ("venue_symbol", models.CharField(max_length=40)),
                ("side", models.CharField(max_length=4)),
                (
                    "state",
                    models.CharField(choices=[("open", "Open"), ("closed", "Closed")], default="open", max_length=6),
                ),
                ("opened", models.DecimalField(decimal_places=24, max_digits=48)),
                ("quantity", models.DecimalField(decimal_places=24, max_digits=48)),
                ("entry", models.DecimalField(decimal_places=24, max_digits=48)),
                ("first_stop", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("stop", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("target", models.DecimalField(decimal_places=24, max_digits=48, null=True)),
                ("risk", models.DecimalField(decimal_places=8, max_digits=28, null=True)),
                ("profit", models.DecimalField(decimal_places=8, default=0, max_digits=28)),
                ("fees", models.DecimalField(decimal_places=8, default=0, max_digits=28)),
                ("plan", models.JSONField(default=dict)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Shard",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("signal_id", models.UUIDField()),
                ("strategy_id", models.UUIDField()),
                ("venue", models.CharField(max_length=32)),
                ("number", models.PositiveIntegerField()),
                ("accounts", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ("created_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("planned_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="VenueLink",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("account_id", models.UUIDField()),
                ("leverage", models.DecimalField(decimal_places=4, max_digits=10, null=True)),
                ("commission", models.DecimalField(decimal_places=8, max_digits=28, null=True)),
                ("seen_at", models.DateTimeField(null=True)),
                ("reconciled_at", models.DateTimeField(null=True)),
                ("blocked_reason", models.CharField(blank=True, max_length=300)),
                ("blocked_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("closed_until", models.DateTimeField(null=True)),
                ("requests_on", models.DateField(null=True)),
                ("requests", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name="signal",
            name="fanned_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(
                condition=models.Q(("fanned_at__isnull", True), ("state", "valid")),
                fields=["received_at"],
                name="trading_signal_to_fan",
            ),
        ),
        migrations.AddIndex(
            model_name="fill",
            index=models.Index(fields=["organization_id", "client_id"], name="trading_fill_of_order"),
        ),
        migrations.AddIndex(
            model_name="fill",
            index=models.Index(fields=["organization_id", "account_id", "at"], name="trading_fill_of_account"),
        ),
        migrations.AddConstraint(
            model_name="fill",
            constraint=models.UniqueConstraint(
                fields=("organization_id", "account_id", "venue_fill_id"), name="trading_fill_once"
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("state", "planned")), fields=["decided_at"], name="trading_order_waiting"
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("state__in", ["sending", "unknown", "working", "partial"])),
                fields=["organization_id", "account_id"],
                name="trading_order_at_venue",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["organization_id", "account_id", "-decided_at"], name="trading_order_latest"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("position_id__isnull", False)),
                fields=["organization_id", "position_id"],
                name="trading_order_of_position",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(fields=("organization_id", "client_id"), name="trading_order_client_id"),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "planned",
                            "sending",
                            "unknown",
                            "working",
                            "partial",
                            "filled",
                            "cancelled",
                            "expired",
                            "refused",
                            "withdrawn",
                            "absent",
                        ],
                    )
                ),
                name="trading_order_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("purpose", "entry"), _negated=True), ("receipt_id__isnull", False), _connector="OR"
                ),
                name="trading_order_entry_has_receipt",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["planned", "withdrawn"]), ("sent_at__isnull", False), _connector="OR"
                ),
                name="trading_order_sent_when_claimed",
            ),
        ),
        migrations.AddIndex(
            model_name="position",
            index=models.Index(
                condition=models.Q(("state", "open")),
                fields=["organization_id", "account_id"],
                name="trading_position_open",
            ),
        ),
        migrations.AddIndex(
            model_name="position",
            index=models.Index(fields=["organization_id", "account_id", "-closed_at"], name="trading_position_latest"),
        ),
        migrations.AddConstraint(
            model_name="position",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open"), models.Q(("venue_position_id", ""), _negated=True)),
                fields=("organization_id", "account_id", "venue_position_id"),
                name="trading_position_at_venue",
            ),
        ),
        migrations.AddConstraint(
            model_name="position",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_foreign", True), ("receipt_id__isnull", False), _connector="OR"),
                name="trading_position_has_receipt",
            ),
        ),
        migrations.AddIndex(
            model_name="shard",
            index=models.Index(
                condition=models.Q(("planned_at__isnull", True)), fields=["created_at"], name="trading_shard_waiting"
            ),
        ),
        migrations.AddConstraint(
            model_name="shard",
            constraint=models.UniqueConstraint(fields=("organization_id", "id"), name="trading_shard_tenant"),
        ),
        migrations.AddConstraint(
            model_name="shard",
            constraint=models.UniqueConstraint(
                fields=("organization_id", "signal_id", "strategy_id", "venue", "number"), name="trading_shard_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="venuelink",
            constraint=models.UniqueConstraint(fields=("organization_id", "account_id"), name="trading_venuelink_once"),
        ),
        *POLICIES,
    ]
