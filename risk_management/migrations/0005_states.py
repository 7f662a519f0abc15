"""What happened to accounts, and where they stand."""

import django.db.models.deletion
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import tenant_reference, tenant_table

# Written by the engine alone, events never changed: a state can be told again from them.
GRANTS = """
GRANT INSERT, DELETE ON risk_management_accountevent TO mikrobot_engine;
GRANT INSERT, UPDATE, DELETE ON risk_management_accountstate TO mikrobot_engine;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_tiers"),
        ("risk_management", "0004_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("account_id", models.UUIDField()),
                ("kind", models.CharField(max_length=12)),
                ("number", models.BigIntegerField(null=True)),
                ("at", models.DateTimeField()),
                ("profit", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
                ("symbol", models.CharField(blank=True, max_length=32)),
                ("body", models.TextField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["organization_id", "account_id", "id"], name="risk_management_event_order"),
                    models.Index(
                        condition=models.Q(("number__isnull", False)),
                        fields=["organization_id", "account_id", "at"],
                        name="risk_management_event_ledger",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("number__isnull", False)),
                        fields=("organization_id", "account_id", "number"),
                        name="risk_management_accountevent_number",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("number__isnull", True)),
                        fields=("organization_id", "account_id", "kind", "at"),
                        name="risk_management_accountevent_moment",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AccountState",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program", models.CharField(blank=True, max_length=200)),
                ("start", models.TextField(blank=True)),
                ("state", models.TextField(blank=True)),
                ("warned", models.TextField(default="[]")),
                ("seen_at", models.DateTimeField(null=True)),
                ("balance", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
                ("equity", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
                ("floating", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
                ("margin_used", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
                ("peak_equity", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
                ("peak_close", models.DecimalField(decimal_places=8, max_digits=20, null=True)),
                ("is_day_open", models.BooleanField(default=False)),
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
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_day_open", True)),
                        fields=["organization", "account"],
                        name="risk_management_state_day_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="risk_management_accountstate_tenant"),
                    models.UniqueConstraint(
                        fields=("organization", "account"), name="risk_management_accountstate_one"
                    ),
                ],
            },
        ),
        tenant_table("risk_management_accountevent", read=["gate.decide", "staff", "doctor"], grants="SELECT"),
        tenant_table(
            "risk_management_accountstate", read=["gate.decide", "gate.days", "staff", "doctor"], grants="SELECT"
        ),
        tenant_reference("risk_management_accountstate", "account_id", "accounts_tradingaccount"),
        migrations.RunSQL(GRANTS, reverse_sql=migrations.RunSQL.noop),
    ]
