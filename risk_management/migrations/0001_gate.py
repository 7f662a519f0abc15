"""The gate's receipts: facts and decisions, linked per organization, written by one function and changed by nobody."""

from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import platform_rows, tenant_table

WATCHED = ["staff", "doctor"]

# Written by the engine and changed by nobody. DELETE is for the end of an organization, and the trigger looks whether it
# has come.
APPEND_ONLY = """
GRANT INSERT, DELETE ON risk_management_sharedfacts, risk_management_receipt TO mikrobot_engine;
GRANT INSERT, UPDATE, DELETE ON risk_management_receiptchain TO mikrobot_engine;
-- Compressing them took half of the time of writing: 1,000 receipts in 187 ms, and in 114 ms without, on two cores.
ALTER TABLE risk_management_receipt ALTER body SET STORAGE EXTERNAL, ALTER facts SET STORAGE EXTERNAL;

CREATE FUNCTION risk_management_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'receipts are append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION risk_management_refuse_unless_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM accounts_organization WHERE id = OLD.organization_id AND closing_at <= now()) THEN
        RAISE EXCEPTION 'receipts are append-only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER risk_management_receipt_append_only BEFORE UPDATE OR TRUNCATE ON risk_management_receipt
    FOR EACH STATEMENT EXECUTE FUNCTION risk_management_refuse();
CREATE TRIGGER risk_management_receipt_kept BEFORE DELETE ON risk_management_receipt
    FOR EACH ROW EXECUTE FUNCTION risk_management_refuse_unless_erased();
CREATE TRIGGER risk_management_sharedfacts_append_only BEFORE UPDATE OR TRUNCATE ON risk_management_sharedfacts
    FOR EACH STATEMENT EXECUTE FUNCTION risk_management_refuse();
CREATE TRIGGER risk_management_sharedfacts_kept BEFORE DELETE ON risk_management_sharedfacts
    FOR EACH ROW EXECUTE FUNCTION risk_management_refuse_unless_erased();
"""
APPEND_ONLY_UNDO = """
ALTER TABLE risk_management_receipt ALTER body SET STORAGE EXTENDED, ALTER facts SET STORAGE EXTENDED;
DROP TRIGGER risk_management_sharedfacts_kept ON risk_management_sharedfacts;
DROP TRIGGER risk_management_sharedfacts_append_only ON risk_management_sharedfacts;
DROP TRIGGER risk_management_receipt_kept ON risk_management_receipt;
DROP TRIGGER risk_management_receipt_append_only ON risk_management_receipt;
DROP FUNCTION risk_management_refuse_unless_erased();
DROP FUNCTION risk_management_refuse();
"""

# The hash of a receipt covers the hash before it, a line end and the body (rules/receipt.py chain). As an aggregate over
# a window it links a whole batch in one pass.
CHAIN = """
CREATE FUNCTION risk_management_link_step(linked text, head text, body text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(coalesce(linked, head) || E'\\n' || body, 'UTF8')), 'hex')
$$;
CREATE AGGREGATE risk_management_link(head text, body text) (SFUNC = risk_management_link_step, STYPE = text);

-- Everything that is sent of one signal: the facts that its accounts share, and a receipt for each account.
-- 1. The ends of the chains are locked in one order, so that two writers cannot wait for each other in a circle. Rows and
--    not advisory locks: those have a place each in a table of fixed size, and a shard may have a thousand organizations.
-- 2. Only then is looked for what is there already, with what was committed meanwhile. What stands is left alone.
-- 3. What is new is linked, written and counted.
CREATE FUNCTION risk_management_write_receipts(
    owner_ uuid, signal_ uuid, at_ timestamptz, shared_id_ uuid, shared_ text,
    ids_ uuid[], organizations_ uuid[], accounts_ uuid[], verdicts_ text[], codes_ text[], bodies_ text[], facts_ text[]
) RETURNS TABLE (account uuid, receipt uuid) LANGUAGE plpgsql SET work_mem = '64MB' AS $$
DECLARE shared_hash_ text := encode(sha256(convert_to(shared_, 'UTF8')), 'hex');
BEGIN
    INSERT INTO risk_management_receiptchain (organization_id, position, hash)
        SELECT DISTINCT one, 0, repeat('0', 64) FROM unnest(organizations_) one ORDER BY one ON CONFLICT DO NOTHING;
    PERFORM FROM risk_management_receiptchain c WHERE c.organization_id = ANY (organizations_)
        ORDER BY c.organization_id FOR UPDATE;
    INSERT INTO risk_management_sharedfacts (id, organization_id, signal_id, sha256, text, at)
        VALUES (shared_id_, owner_, signal_, shared_hash_, shared_, at_) ON CONFLICT DO NOTHING;
    RETURN QUERY
    WITH fresh AS (
        SELECT batch.* FROM unnest(ids_, organizations_, accounts_, verdicts_, codes_, bodies_, facts_) WITH ORDINALITY
            batch (id, organization_id, account_id, verdict, code, body, facts, place)
        WHERE NOT EXISTS (
            SELECT FROM risk_management_receipt r WHERE r.organization_id = batch.organization_id
                AND r.signal_id = signal_ AND r.account_id = batch.account_id)
    ), linked AS (
        SELECT fresh.*, c.position + row_number() OVER chain AS position, c.hash AS head,
               risk_management_link(c.hash::text, fresh.body) OVER chain AS hash
        FROM fresh JOIN risk_management_receiptchain c USING (organization_id)
        WINDOW chain AS (PARTITION BY fresh.organization_id ORDER BY fresh.place)
    ), written AS (
        INSERT INTO risk_management_receipt (
            id, organization_id, position, signal_id, account_id, verdict, code, at, body, facts, shared_sha256,
            previous, hash)
        SELECT id, organization_id, position, signal_, account_id, verdict, code, at_, body, facts, shared_hash_,
               coalesce(lag(hash) OVER chain, head), hash
        FROM linked WINDOW chain AS (PARTITION BY organization_id ORDER BY place)
        RETURNING id, organization_id, account_id
    ), ended AS (
        UPDATE risk_management_receiptchain c SET position = last.position, hash = last.hash
        FROM (SELECT DISTINCT ON (organization_id) organization_id, position, hash
              FROM linked ORDER BY organization_id, position DESC) last
        WHERE c.organization_id = last.organization_id
    )
    SELECT written.account_id, written.id FROM written;
END $$;
"""
CHAIN_UNDO = """
DROP FUNCTION risk_management_write_receipts(
    uuid, uuid, timestamptz, uuid, text, uuid[], uuid[], uuid[], text[], text[], text[], text[]);
DROP AGGREGATE risk_management_link(text, text);
DROP FUNCTION risk_management_link_step(text, text, text);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0004_drill_effect"),
    ]

    operations = [
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("position", models.BigIntegerField(editable=False)),
                ("signal_id", models.UUIDField()),
                ("account_id", models.UUIDField()),
                ("verdict", models.CharField(max_length=8)),
                ("code", models.CharField(max_length=60)),
                ("at", models.DateTimeField()),
                ("body", models.TextField()),
                ("facts", models.TextField()),
                ("shared_sha256", models.CharField(max_length=64)),
                ("previous", models.CharField(editable=False, max_length=64)),
                ("hash", models.CharField(editable=False, max_length=64)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["organization_id", "account_id", "-position"], name="risk_management_receipt_of_acc"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization_id", "signal_id", "account_id"), name="risk_management_receipt_once"
                    ),
                    models.UniqueConstraint(
                        fields=("organization_id", "position"), name="risk_management_receipt_chain"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReceiptChain",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("position", models.BigIntegerField(default=0)),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id",), name="risk_management_receiptchain_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="SharedFacts",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("signal_id", models.UUIDField()),
                ("sha256", models.CharField(max_length=64)),
                ("text", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization_id", "id"), name="risk_management_sharedfacts_tenant"
                    ),
                    models.UniqueConstraint(
                        fields=("organization_id", "sha256"), name="risk_management_sharedfacts_once"
                    ),
                ],
            },
        ),
        tenant_table("risk_management_receipt", read=WATCHED, write=["gate.decide"], grants="SELECT"),
        tenant_table("risk_management_receiptchain", read=WATCHED, write=["gate.decide"], grants="SELECT"),
        tenant_table("risk_management_sharedfacts", read=WATCHED, write=["gate.decide"], grants="SELECT"),
        # What a signal of the platform was judged on is read by whoever has a receipt of it.
        platform_rows("risk_management_sharedfacts", scope="gate.decide", is_shared=True),
        migrations.RunSQL(APPEND_ONLY, reverse_sql=APPEND_ONLY_UNDO),
        migrations.RunSQL(CHAIN, reverse_sql=CHAIN_UNDO),
    ]
