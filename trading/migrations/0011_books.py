"""What follows from fills: bookings, where a stop is wanted, how a venue's way is looked after."""

from django.db import migrations, models

from mikrobot_platform.db.operations import system_read, tenant_table


def figure(**options: object) -> models.DecimalField:
    return models.DecimalField(max_digits=48, decimal_places=24, **options)


# Written by the engine only, and never changed; DELETE is for the end of an organization.
GRANTS = "GRANT INSERT, DELETE ON trading_booking TO mikrobot_engine"
POLICIES = [
    tenant_table("trading_booking", read=["staff", "doctor"], write=["orders.carry"], grants="SELECT"),
    *(system_read(f"trading_{table}", scope="orders.carry") for table in ("follow", "strategy")),
    migrations.RunSQL(GRANTS, reverse_sql=migrations.RunSQL.noop),
]


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0010_orders"),
    ]

    operations = [
        migrations.CreateModel(
            name="Booking",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("account_id", models.UUIDField()),
                ("position_id", models.UUIDField()),
                ("venue_fill_id", models.CharField(max_length=64)),
                ("kind", models.CharField(choices=[("opened", "Opened"), ("settled", "Settled")], max_length=7)),
                ("symbol", models.CharField(max_length=40)),
                ("quantity", figure()),
                ("profit", models.DecimalField(decimal_places=8, max_digits=28, null=True)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.AddField("fill", "book", models.CharField(blank=True, max_length=64)),
        migrations.AddField("fill", "venue_position_id", models.CharField(blank=True, max_length=64)),
        migrations.AddField("fill", "rate_bottom", figure(null=True)),
        migrations.AddField("fill", "rate_top", figure(null=True)),
        migrations.AddField(
            "order", "cause_code", models.CharField(blank=True, default="", max_length=60), preserve_default=False
        ),
        migrations.AddField(
            "order", "cause", models.CharField(blank=True, default="", max_length=300), preserve_default=False
        ),
        migrations.AddIndex(
            "order",
            models.Index(
                condition=models.Q(("filled__gt", 0), ("position_id__isnull", True), ("purpose", "entry")),
                fields=["organization_id", "account_id"],
                name="trading_order_unsettled",
            ),
        ),
        migrations.AddField("order", "changed_at", models.DateTimeField(null=True)),
        migrations.AddField("position", "entry_fees", models.DecimalField(decimal_places=8, default=0, max_digits=28)),
        migrations.AddField("position", "stop_refused_at", models.DateTimeField(null=True)),
        migrations.AddField("position", "stops_made", models.PositiveIntegerField(default=0)),
        migrations.AddField("position", "stops_refused", models.PositiveIntegerField(default=0)),
        migrations.AddField("venuelink", "alarms", models.JSONField(default=list)),
        migrations.AddField("position", "best", figure(null=True)),
        migrations.AddField("position", "r", models.DecimalField(decimal_places=4, max_digits=20, null=True)),
        migrations.AddField("position", "wanted_stop", figure(null=True)),
        migrations.AlterField(
            "position", "profit", models.DecimalField(decimal_places=8, default=0, max_digits=28, null=True)
        ),
        migrations.AlterField("position", "seen_at", models.DateTimeField(null=True)),
        migrations.AddField("venuelink", "look_at", models.DateTimeField(null=True)),
        migrations.AddField("venuelink", "policy", models.CharField(default="alarm", max_length=8)),
        migrations.AddField("venuelink", "successes", models.PositiveSmallIntegerField(default=0)),
        migrations.AddIndex(
            "booking", models.Index(fields=["organization_id", "position_id"], name="trading_booking_of_position")
        ),
        migrations.AddConstraint(
            "booking",
            models.UniqueConstraint(
                fields=("organization_id", "account_id", "venue_fill_id", "kind"), name="trading_booking_once"
            ),
        ),
        *POLICIES,
    ]
