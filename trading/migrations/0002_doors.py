"""What the doors need: secrets of sources, what a source sent in a minute, from where it may; signals that expired."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import ENGINE_ROLE, SYSTEM, platform_rows, tenant_reference, tenant_table

POLICIES = [
    # Master keys seal the platform's own secrets, so their exchange must find those rows.
    tenant_table("trading_sourcesecret", read=["signals.door"], write=["vault.rotate"]),
    tenant_table("trading_sourceminute", read=["doctor"], write=["signals.sweep"], grants="SELECT"),
    *(
        platform_rows(table, scope="signals.platform", is_shared=False)
        for table in ("trading_sourcesecret", "trading_sourceminute")
    ),
    tenant_reference("trading_sourcesecret", "source_id", "trading_source", on_delete="CASCADE"),
    # An address names a source and not whose it is: the door finds that out before it enters anybody's ledger.
    migrations.RunSQL(
        f"CREATE POLICY system_door ON trading_source FOR SELECT TO {ENGINE_ROLE} USING ({SYSTEM} IN ('signals.door'))",
        reverse_sql="DROP POLICY system_door ON trading_source",
    ),
    migrations.RunSQL(
        f"GRANT INSERT, UPDATE, DELETE ON trading_sourceminute TO {ENGINE_ROLE}", reverse_sql=migrations.RunSQL.noop
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0001_signals"),
    ]

    operations = [
        migrations.CreateModel(
            name="SourceMinute",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("source_id", models.UUIDField()),
                ("minute", models.BigIntegerField()),
                ("accepted", models.PositiveIntegerField(default=0)),
                ("refused", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization_id", "source_id", "minute"), name="trading_sourceminute_once"
                    )
                ],
                "indexes": [models.Index(fields=["minute"], name="trading_sourceminute_age")],
            },
        ),
        migrations.CreateModel(
            name="SourceSecret",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("sealed", models.TextField(blank=True, editable=False, null=True)),
                ("digest", models.BinaryField(max_length=32, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(null=True)),
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
                    models.UniqueConstraint(fields=("organization_id", "id"), name="trading_sourcesecret_tenant"),
                    models.UniqueConstraint(fields=("digest",), name="trading_sourcesecret_digest"),
                    models.CheckConstraint(
                        condition=models.Q(("sealed__isnull", True), ("digest__isnull", True), _connector="XOR"),
                        name="trading_sourcesecret_one_form",
                    ),
                ],
                "indexes": [
                    models.Index(fields=["organization_id", "source"], name="trading_sourcesecret_of_source"),
                ],
            },
        ),
        migrations.AddField(
            model_name="source",
            name="networks",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.RemoveConstraint(
            model_name="signal",
            name="trading_signal_state",
        ),
        migrations.AlterField(
            model_name="signal",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("valid", "Valid"),
                    ("rejected", "Rejected"),
                    ("expired", "Expired"),
                    ("quarantined", "Quarantined"),
                ],
                default="waiting",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="signal",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "valid", "rejected", "expired", "quarantined"])),
                name="trading_signal_state",
            ),
        ),
        *POLICIES,
    ]
