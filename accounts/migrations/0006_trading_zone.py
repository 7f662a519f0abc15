"""The zone by which an organization's days turn, taken over from its owner's profile."""

from django.db import migrations, models

# The owner of the tables is held by row-level security as well, so it is lifted for this one statement: everybody's
# organization gets the zone that its days have turned by so far. The tables are locked meanwhile; nobody reads past it.
TAKE_OVER = """
ALTER TABLE accounts_organization NO FORCE ROW LEVEL SECURITY;
ALTER TABLE accounts_membership NO FORCE ROW LEVEL SECURITY;
UPDATE accounts_organization o SET trading_zone = u.time_zone
    FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
    WHERE m.organization_id = o.id AND m.role = 'owner' AND u.time_zone <> '';
ALTER TABLE accounts_membership FORCE ROW LEVEL SECURITY;
ALTER TABLE accounts_organization FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_tiers"),
    ]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="trading_zone",
            field=models.CharField(db_default="UTC", default="UTC", max_length=64),
        ),
        migrations.AddField(
            model_name="organization",
            name="next_zone",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="organization",
            name="next_zone_from",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunSQL(TAKE_OVER, reverse_sql=migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("next_zone", ""), ("next_zone_from__isnull", True)),
                    models.Q(models.Q(("next_zone", ""), _negated=True), ("next_zone_from__isnull", False)),
                    _connector="OR",
                ),
                name="accounts_organization_next_zone",
            ),
        ),
    ]
