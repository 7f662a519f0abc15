"""What was turned away in a minute, by reason: of each the first ones stand in the trail, whatever else knocks."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0008_removed"),
    ]

    operations = [
        migrations.AddField(model_name="sourceminute", name="refusals", field=models.JSONField(default=dict)),
    ]
