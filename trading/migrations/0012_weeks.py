"""What a week has brought is found by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0011_books"),
    ]

    operations = [
        migrations.AddIndex(
            "booking", models.Index(fields=["organization_id", "account_id", "at"], name="trading_booking_of_account")
        ),
    ]
