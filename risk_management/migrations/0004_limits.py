"""The limits that customers set for their accounts."""

import django.db.models.deletion
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import tenant_reference, tenant_table


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_tiers"),
        ("risk_management", "0003_switches"),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountLimits",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("current", models.TextField()),
                ("pending", models.TextField(blank=True)),
                ("pending_from", models.DateTimeField(null=True)),
                ("pending_zone", models.CharField(blank=True, max_length=64)),
                ("changed_at", models.DateTimeField()),
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
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="risk_management_accountlimits_tenant"),
                    models.UniqueConstraint(
                        fields=("organization", "account"), name="risk_management_accountlimits_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pending", ""), ("pending_from__isnull", True)),
                            models.Q(models.Q(("pending", ""), _negated=True), ("pending_from__isnull", False)),
                            _connector="OR",
                        ),
                        name="risk_management_accountlimits_pending_is_dated",
                    ),
                ],
            },
        ),
        tenant_table("risk_management_accountlimits", read=["gate.decide", "staff", "doctor"]),
        tenant_reference("risk_management_accountlimits", "account_id", "accounts_tradingaccount"),
    ]
