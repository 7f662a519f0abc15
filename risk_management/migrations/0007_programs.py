"""What owners were told of the programs of their prop accounts; states that go on under another edition."""

import django.db.models.deletion
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import system_read, tenant_reference, tenant_table

GRANTS = "GRANT INSERT, UPDATE, DELETE ON risk_management_accountprogram TO mikrobot_engine"


class Migration(migrations.Migration):
    dependencies = [("risk_management", "0006_facts")]

    operations = [
        migrations.CreateModel(
            name="AccountProgram",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("program", models.CharField(blank=True, max_length=200)),
                ("doubt", models.TextField(blank=True)),
                ("doubt_sentence", models.TextField(blank=True)),
                ("told_at", models.DateTimeField()),
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
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="risk_management_accountprogram_tenant"
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "account"), name="risk_management_accountprogram_one"
                    ),
                ],
            },
        ),
        migrations.AddField(model_name="accountstate", name="started_after", field=models.BigIntegerField(default=0)),
        migrations.AddIndex(
            model_name="accountevent",
            index=models.Index(
                condition=models.Q(("kind", "Settled")),
                fields=["organization_id", "account_id", "-at", "-number"],
                include=["profit"],
                name="risk_management_event_result",
            ),
        ),
        tenant_table("risk_management_accountprogram", read=["gate.programs", "staff", "doctor"], grants="SELECT"),
        tenant_reference("risk_management_accountprogram", "account_id", "accounts_tradingaccount"),
        migrations.RunSQL(GRANTS, reverse_sql=migrations.RunSQL.noop),
        system_read("accounts_tradingaccount", scope="gate.programs"),
    ]
