"""The drill's table with its policy."""

import django.utils.timezone
from django.db import migrations, models

from mikrobot_platform.db.operations import tenant_table


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_staff_search")]

    operations = [
        migrations.CreateModel(
            name="DrillEffect",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("event_id", models.BigIntegerField()),
                ("publisher", models.PositiveSmallIntegerField()),
                ("number", models.PositiveIntegerField()),
                ("pid", models.PositiveIntegerField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [models.Index(fields=["organization_id", "id"], name="accounts_drilleffect_order")],
            },
        ),
        tenant_table("accounts_drilleffect", grants="SELECT, INSERT, DELETE"),
    ]
