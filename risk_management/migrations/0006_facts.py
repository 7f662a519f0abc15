"""The gate reads the facts of a shard: whose accounts they are, and in which time zone their owner lives."""

from django.db import migrations

from mikrobot_platform.db.operations import system_read


class Migration(migrations.Migration):
    dependencies = [("risk_management", "0005_states")]

    operations = [
        system_read("accounts_organization", scope="gate.decide"),
        system_read("accounts_membership", scope="gate.decide"),
        system_read("accounts_tradingaccount", scope="gate.decide"),
    ]
