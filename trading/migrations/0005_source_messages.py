"""An index for the page of one source among several."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0004_taken"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="rawsignal",
            index=models.Index(
                fields=["organization_id", "source_id", "-received_at"], name="trading_rawsignal_source"
            ),
        ),
    ]
