"""An index for the Idempotency-Keys that came with messages: each is asked for when it comes again."""

from django.db import migrations, models
from django.db.models.fields.json import KeyTextTransform


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0006_tried"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="rawsignal",
            index=models.Index(
                models.F("organization_id"),
                models.F("source_id"),
                KeyTextTransform("idempotency-key", "headers"),
                condition=models.Q(("headers__has_key", "idempotency-key")),
                name="trading_rawsignal_request",
            ),
        ),
    ]
