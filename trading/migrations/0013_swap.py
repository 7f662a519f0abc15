"""What nights have cost a position, as its venue says."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0012_weeks"),
    ]

    operations = [
        migrations.AddField("position", "swap", models.DecimalField(decimal_places=8, max_digits=28, null=True)),
    ]
