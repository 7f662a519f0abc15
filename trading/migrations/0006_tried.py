"""When the sweep last took up what stands still: two who meet at it are one try and not two."""

from django.db import migrations, models

from mikrobot_platform.db.operations import ENGINE_ROLE

TABLES = ("trading_rawsignal", "trading_signal")


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0005_source_messages"),
    ]

    operations = [
        migrations.AddField(model_name="rawsignal", name="tried_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="signal", name="tried_at", field=models.DateTimeField(null=True)),
        *(
            migrations.RunSQL(
                f"GRANT UPDATE (tried_at) ON {table} TO {ENGINE_ROLE}", reverse_sql=migrations.RunSQL.noop
            )
            for table in TABLES
        ),
    ]
