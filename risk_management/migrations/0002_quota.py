"""The daily quota: rows that are counted under a lock, so that exactly as many come in as may."""

from django.db import migrations, models

from mikrobot_platform.db.operations import tenant_table

ADMIT = """
-- The days are locked in one order before anything is looked at: what is counted is what was committed meanwhile.
CREATE FUNCTION risk_management_admit(
    signal_ uuid, at_ timestamptz, organizations_ uuid[], accounts_ uuid[], days_ date[], limits_ integer[]
) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO risk_management_dailyquota (organization_id, day, used)
        SELECT DISTINCT wish.organization_id, wish.day, 0 FROM unnest(organizations_, days_) wish (organization_id, day)
        ORDER BY wish.organization_id, wish.day ON CONFLICT DO NOTHING;
    PERFORM FROM risk_management_dailyquota q
        WHERE (q.organization_id, q.day) IN (SELECT * FROM unnest(organizations_, days_))
        ORDER BY q.organization_id, q.day FOR UPDATE;
    RETURN QUERY
    WITH wished AS (
        SELECT * FROM unnest(organizations_, accounts_, days_, limits_) WITH ORDINALITY
            wish (organization_id, account_id, day, most, place)
    ), standing AS (
        SELECT w.* FROM wished w JOIN risk_management_quotaclaim c
            ON c.organization_id = w.organization_id AND c.signal_id = signal_ AND c.account_id = w.account_id
            AND c.given_back_at IS NULL
    ), fresh AS (
        SELECT w.*, row_number() OVER (PARTITION BY w.organization_id, w.day ORDER BY w.place) AS further
        FROM wished w
        WHERE NOT EXISTS (SELECT FROM standing s
                          WHERE s.organization_id = w.organization_id AND s.account_id = w.account_id)
    ), claimed AS (
        INSERT INTO risk_management_quotaclaim AS c (organization_id, signal_id, account_id, day, at)
        SELECT f.organization_id, signal_, f.account_id, f.day, at_
        FROM fresh f JOIN risk_management_dailyquota q ON q.organization_id = f.organization_id AND q.day = f.day
        WHERE f.most IS NULL OR q.used + f.further <= f.most
        ORDER BY f.organization_id, f.place
        ON CONFLICT (organization_id, signal_id, account_id)
            DO UPDATE SET day = excluded.day, at = excluded.at, given_back_at = NULL WHERE c.given_back_at IS NOT NULL
        RETURNING c.organization_id, c.account_id, c.day
    ), counted AS (
        UPDATE risk_management_dailyquota q SET used = q.used + taken.places
        FROM (SELECT organization_id, day, count(*) AS places FROM claimed GROUP BY organization_id, day) taken
        WHERE q.organization_id = taken.organization_id AND q.day = taken.day
    )
    SELECT account_id FROM standing UNION ALL SELECT account_id FROM claimed;
END $$;

CREATE FUNCTION risk_management_give_back(
    signal_ uuid, at_ timestamptz, organizations_ uuid[], accounts_ uuid[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE freed bigint;
BEGIN
    PERFORM FROM risk_management_dailyquota q
        WHERE (q.organization_id, q.day) IN (
            SELECT c.organization_id, c.day FROM risk_management_quotaclaim c
            JOIN unnest(organizations_, accounts_) back (organization_id, account_id)
                ON c.organization_id = back.organization_id AND c.account_id = back.account_id
            WHERE c.signal_id = signal_)
        ORDER BY q.organization_id, q.day FOR UPDATE;
    WITH freed_ AS (
        UPDATE risk_management_quotaclaim c SET given_back_at = at_
        FROM unnest(organizations_, accounts_) back (organization_id, account_id)
        WHERE c.organization_id = back.organization_id AND c.account_id = back.account_id AND c.signal_id = signal_
            AND c.given_back_at IS NULL
        RETURNING c.organization_id, c.day
    ), counted AS (
        UPDATE risk_management_dailyquota q SET used = q.used - free.places
        FROM (SELECT organization_id, day, count(*) AS places FROM freed_ GROUP BY organization_id, day) free
        WHERE q.organization_id = free.organization_id AND q.day = free.day
    )
    SELECT count(*) INTO freed FROM freed_;
    RETURN freed;
END $$;
"""
ADMIT_UNDO = """
DROP FUNCTION risk_management_give_back(uuid, timestamptz, uuid[], uuid[]);
DROP FUNCTION risk_management_admit(uuid, timestamptz, uuid[], uuid[], date[], integer[]);
"""
GRANTS = "GRANT INSERT, UPDATE, DELETE ON risk_management_dailyquota, risk_management_quotaclaim TO mikrobot_engine"


class Migration(migrations.Migration):
    dependencies = [
        ("risk_management", "0001_gate"),
    ]

    operations = [
        migrations.CreateModel(
            name="DailyQuota",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("day", models.DateField()),
                ("used", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "day"), name="risk_management_dailyquota_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="QuotaClaim",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("signal_id", models.UUIDField()),
                ("account_id", models.UUIDField()),
                ("day", models.DateField()),
                ("at", models.DateTimeField()),
                ("given_back_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization_id", "signal_id", "account_id"), name="risk_management_quotaclaim_once"
                    )
                ],
            },
        ),
        tenant_table("risk_management_dailyquota", read=["staff", "doctor"], write=["gate.decide"], grants="SELECT"),
        tenant_table("risk_management_quotaclaim", read=["staff", "doctor"], write=["gate.decide"], grants="SELECT"),
        migrations.RunSQL(GRANTS, reverse_sql=migrations.RunSQL.noop),
        migrations.RunSQL(ADMIT, reverse_sql=ADMIT_UNDO),
    ]
