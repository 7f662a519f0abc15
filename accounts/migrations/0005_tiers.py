"""Tiers that staff grant, with their policy."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import tenant_table


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_drill_effect"),
    ]

    operations = [
        migrations.CreateModel(
            name="TierGrant",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "tier",
                    models.CharField(
                        choices=[
                            ("trial", "trial"),
                            ("basic", "basic"),
                            ("professional", "professional"),
                            ("enterprise", "enterprise"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.CharField(max_length=300)),
                ("granted_by", models.CharField(max_length=60)),
                ("granted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("until", models.DateTimeField(null=True)),
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
                "indexes": [models.Index(fields=["organization", "-granted_at"], name="accounts_tiergrant_latest")],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="accounts_tiergrant_tenant")
                ],
            },
        ),
        tenant_table("accounts_tiergrant", read=["gate.decide", "staff", "doctor"], grants="SELECT"),
        # The web looks; only the engine, inside a staff scope that was narrowed to one organization, grants.
        migrations.RunSQL(
            "GRANT INSERT, DELETE ON accounts_tiergrant TO mikrobot_engine",
            reverse_sql="REVOKE INSERT, DELETE ON accounts_tiergrant FROM mikrobot_engine",
        ),
    ]
