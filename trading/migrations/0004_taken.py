"""An index for what a strategy took lately: the pause between two signals for a symbol is asked for with every signal."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0003_files"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="signalevent",
            index=models.Index(
                condition=models.Q(("code", "signal.valid"), ("kind", "judged")),
                fields=["organization_id", "strategy_id", "-at"],
                name="trading_signalevent_taken",
            ),
        ),
    ]
