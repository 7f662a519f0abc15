"""Sources that were taken away: off for good, their names free for others, what they sent still theirs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0007_request"),
    ]

    operations = [
        migrations.AddField(
            model_name="source", name="removed_at", field=models.DateTimeField(editable=False, null=True)
        ),
        migrations.RemoveConstraint(model_name="source", name="trading_source_name"),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.UniqueConstraint(
                condition=models.Q(("removed_at", None)), fields=("organization_id", "name"), name="trading_source_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.CheckConstraint(
                condition=models.Q(("removed_at", None), ("is_enabled", False), _connector="OR"),
                name="trading_source_removed_is_off",
            ),
        ),
    ]
