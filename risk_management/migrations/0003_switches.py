"""Kill switches: set once, lifted once, and nothing of them is changed in between."""

from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import platform_rows, tenant_table

GRANTS = """
GRANT INSERT, UPDATE (lifted_at, lifted_by_kind, lifted_by_id, lift_reason), DELETE ON risk_management_switch
    TO mikrobot_engine;
GRANT INSERT, UPDATE (lifted_at, lifted_by_kind, lifted_by_id, lift_reason) ON risk_management_switch TO mikrobot_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("risk_management", "0002_quota"),
    ]

    operations = [
        migrations.CreateModel(
            name="Switch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("account", "Account"),
                            ("strategy", "Strategy"),
                            ("organization", "Organization"),
                            ("platform", "Platform"),
                        ],
                        max_length=12,
                    ),
                ),
                ("account_id", models.UUIDField(null=True)),
                ("strategy_id", models.UUIDField(null=True)),
                ("is_lockout", models.BooleanField(default=False)),
                ("reason", models.CharField(max_length=300)),
                ("set_at", models.DateTimeField()),
                ("set_by_kind", models.CharField(max_length=10)),
                ("set_by_id", models.CharField(blank=True, max_length=60)),
                ("until", models.DateTimeField(null=True)),
                ("lifted_at", models.DateTimeField(null=True)),
                ("lifted_by_kind", models.CharField(blank=True, max_length=10)),
                ("lifted_by_id", models.CharField(blank=True, max_length=60)),
                ("lift_reason", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=["organization_id", "level"],
                        name="risk_management_switch_holding",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "id"), name="risk_management_switch_tenant"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("account_id__isnull", False), ("level", "account"), ("strategy_id__isnull", True)
                            ),
                            models.Q(
                                ("account_id__isnull", True), ("level", "strategy"), ("strategy_id__isnull", False)
                            ),
                            models.Q(
                                ("account_id__isnull", True),
                                ("level__in", ("organization", "platform")),
                                ("strategy_id__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="risk_management_switch_has_its_target",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("level", "platform"), _negated=True),
                            ("organization_id", "00000000-0000-0000-0000-000000000000"),
                            _connector="OR",
                        ),
                        name="risk_management_switch_platform_is_platforms",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until__isnull", True), ("until__gt", models.F("set_at")), _connector="OR"),
                        name="risk_management_switch_ends_later",
                    ),
                ],
            },
        ),
        tenant_table("risk_management_switch", read=["gate.decide", "staff", "doctor"], grants="SELECT"),
        platform_rows("risk_management_switch", scope="staff", is_shared=True),
        migrations.RunSQL(GRANTS, reverse_sql=migrations.RunSQL.noop),
    ]
