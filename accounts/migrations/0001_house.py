"""The house: people, organizations, keys, accounts, the vault, the audit trail, the outbox; each table with its policy."""

from decimal import Decimal

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import USER, shared_table, tenant_reference, tenant_table

CHAIN = """
-- One lock per organization orders its audit chain and its outbox; a single key for both, so that they cannot deadlock.
CREATE FUNCTION accounts_stream_lock(organization uuid) RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('mikrobot.stream:' || organization::text, 0))
$$;

CREATE FUNCTION accounts_audit_digest(entry accounts_auditentry, linked bytea) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(linked || convert_to(jsonb_build_array(
        entry.organization_id, entry.sequence, entry.id,
        to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        entry.actor_kind, entry.actor_id, entry.action, entry.subject, entry.data, host(entry.address), entry.trace_id
    )::text, 'UTF8'))
$$;

CREATE FUNCTION accounts_audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last record;
BEGIN
    PERFORM accounts_stream_lock(NEW.organization_id);
    SELECT sequence, hash INTO last FROM accounts_auditentry
        WHERE organization_id = NEW.organization_id ORDER BY sequence DESC LIMIT 1;
    NEW.sequence := coalesce(last.sequence, 0) + 1;
    NEW.previous := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
    NEW.hash := accounts_audit_digest(NEW, NEW.previous);
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_audit_link BEFORE INSERT ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_audit_link();

CREATE FUNCTION accounts_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER accounts_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_audit_refuse();

-- The platform's own chain: any named scope of the engine role writes there.
CREATE POLICY platform ON accounts_auditentry TO mikrobot_engine
    USING (organization_id = '00000000-0000-0000-0000-000000000000'
           AND (select nullif(current_setting('app.system_scope', true), '')) IS NOT NULL);
"""

CHAIN_UNDO = """
DROP POLICY platform ON accounts_auditentry;
DROP TRIGGER accounts_audit_append_only ON accounts_auditentry;
DROP TRIGGER accounts_audit_link ON accounts_auditentry;
DROP FUNCTION accounts_audit_refuse();
DROP FUNCTION accounts_audit_link();
DROP FUNCTION accounts_audit_digest(accounts_auditentry, bytea);
DROP FUNCTION accounts_stream_lock(uuid);
"""

ORDER = """
-- The id is drawn while the organization's lock is held, so within one organization no smaller id can commit later.
-- Writers of several organizations insert in the order of organization_id, or they may wait for each other in a circle.
CREATE FUNCTION accounts_outbox_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM accounts_stream_lock(NEW.organization_id);
    NEW.id := nextval('accounts_outboxevent_id_seq');
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_outbox_order BEFORE INSERT ON accounts_outboxevent
    FOR EACH ROW EXECUTE FUNCTION accounts_outbox_order();
GRANT USAGE ON SEQUENCE accounts_outboxevent_id_seq TO mikrobot_app, mikrobot_engine;
"""

ORDER_UNDO = """
DROP TRIGGER accounts_outbox_order ON accounts_outboxevent;
DROP FUNCTION accounts_outbox_order();
"""

TENANTS = [
    tenant_table(
        "accounts_organization",
        key="id",
        read=["outbox.relay", "organization.sweep", "vault.rotate", "audit.verify", "doctor", "staff"],
        also_seen=f"id IN (SELECT organization_id FROM accounts_membership WHERE user_id = {USER})",
    ),
    tenant_table("accounts_membership", read=["staff", "doctor"], also_seen=f"user_id = {USER}"),
    tenant_table("accounts_invitation", read=["staff", "doctor"]),
    tenant_table("accounts_acknowledgement", read=["staff", "doctor"], grants="SELECT, INSERT, DELETE"),
    tenant_table("accounts_apikey", read=["staff", "doctor"]),
    tenant_table("accounts_tradingaccount", read=["vault.rotate", "staff", "doctor"]),
    tenant_table("accounts_datakey", read=["vault.rotate", "doctor"]),
    tenant_table("accounts_dataexport", read=["organization.sweep", "staff", "doctor"]),
    tenant_table("accounts_auditentry", read=["audit.verify", "doctor", "staff"], grants="SELECT, INSERT"),
    tenant_table("accounts_outboxevent", read=["doctor", "staff"], write=["outbox.relay"]),
    tenant_table("accounts_outboxdelivery", read=["doctor", "staff"], grants="SELECT, INSERT, DELETE"),
    tenant_reference(
        "accounts_invitation", "invited_by_id", "accounts_membership", on_delete="SET NULL (invited_by_id)"
    ),
    tenant_reference("accounts_apikey", "created_by_id", "accounts_membership", on_delete="SET NULL (created_by_id)"),
    tenant_reference(
        "accounts_dataexport", "requested_by_id", "accounts_membership", on_delete="SET NULL (requested_by_id)"
    ),
    shared_table("accounts_user"),
    shared_table("accounts_user_groups"),
    shared_table("accounts_user_user_permissions"),
    shared_table("accounts_signin", grants="SELECT, INSERT, DELETE"),
    migrations.RunSQL(CHAIN, reverse_sql=CHAIN_UNDO),
    migrations.RunSQL(ORDER, reverse_sql=ORDER_UNDO),
]


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("email", models.EmailField(max_length=254, unique=True, verbose_name="e-mail address")),
                ("name", models.CharField(blank=True, max_length=120, verbose_name="name")),
                ("time_zone", models.CharField(default="UTC", max_length=64, verbose_name="time zone")),
                ("language", models.CharField(default="en", max_length=8, verbose_name="language")),
                (
                    "currency",
                    models.CharField(
                        choices=[
                            ("USD", "USD"),
                            ("EUR", "EUR"),
                            ("GBP", "GBP"),
                            ("CHF", "CHF"),
                            ("JPY", "JPY"),
                            ("AUD", "AUD"),
                            ("CAD", "CAD"),
                        ],
                        default="USD",
                        help_text="Totals over several accounts are shown in it.",
                        max_length=3,
                        verbose_name="account currency",
                    ),
                ),
                (
                    "experience",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("new", "New to trading"),
                            ("some", "One to three years"),
                            ("seasoned", "More than three years"),
                            ("professional", "Professional"),
                        ],
                        max_length=16,
                        verbose_name="trading experience",
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                ("is_staff", models.BooleanField(default=False)),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("sequence", models.BigIntegerField(editable=False, null=True)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("actor_kind", models.CharField(max_length=10)),
                ("actor_id", models.CharField(blank=True, max_length=60)),
                ("action", models.CharField(max_length=60)),
                ("subject", models.CharField(blank=True, max_length=100)),
                ("data", models.JSONField(default=dict)),
                ("address", models.GenericIPAddressField(null=True)),
                ("trace_id", models.CharField(blank=True, max_length=32)),
                ("previous", models.BinaryField(max_length=32, null=True)),
                ("hash", models.BinaryField(max_length=32, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "sequence"), name="accounts_auditentry_chain")
                ],
            },
        ),
        migrations.CreateModel(
            name="Organization",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("is_demo", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("suspended_at", models.DateTimeField(blank=True, null=True)),
                ("suspended_reason", models.CharField(blank=True, max_length=300)),
                ("closing_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", "00000000-0000-0000-0000-000000000000"), _negated=True),
                        name="accounts_organization_not_platform",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("trader", "Trader"), ("viewer", "Viewer")],
                        max_length=8,
                        verbose_name="role",
                    ),
                ),
                ("joined_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                (
                    "role",
                    models.CharField(
                        choices=[("trader", "Trader"), ("viewer", "Viewer")], max_length=8, verbose_name="role"
                    ),
                ),
                ("nonce", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="accounts.membership",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="DataKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                ("wrapped", models.TextField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("retired_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="DataExport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("file", models.CharField(blank=True, max_length=200)),
                ("size", models.BigIntegerField(default=0)),
                ("finished_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
                (
                    "requested_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="accounts.membership",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("prefix", models.CharField(editable=False, max_length=12)),
                ("digest", models.BinaryField(max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("read", "Read everything of this organization"),
                                ("signals", "Send signals"),
                                ("trade", "Trade, and read"),
                                ("admin", "Manage trading accounts, and read"),
                            ],
                            max_length=8,
                        ),
                        size=None,
                    ),
                ),
                (
                    "networks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=43),
                        blank=True,
                        default=list,
                        help_text="Addresses or networks (CIDR) from which it works; empty: from everywhere.",
                        size=None,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                ("last_used_at", models.DateTimeField(editable=False, null=True)),
                ("last_used_address", models.GenericIPAddressField(editable=False, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="accounts.membership",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Acknowledgement",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "document",
                    models.CharField(choices=[("terms", "Terms of service"), ("risk", "Risk warning")], max_length=8),
                ),
                ("version", models.CharField(max_length=20)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("address", models.GenericIPAddressField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="OutboxDelivery",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("event_id", models.BigIntegerField()),
                ("subscriber", models.CharField(max_length=120)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization_id", "event_id", "subscriber"), name="accounts_outboxdelivery_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutboxEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(editable=False)),
                ("name", models.CharField(max_length=60)),
                ("data", models.JSONField(default=dict)),
                ("trace_id", models.CharField(blank=True, max_length=32)),
                ("published_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("done_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("done_at", None), ("parked_at", None)),
                        fields=["organization_id", "id"],
                        name="accounts_outboxevent_waiting",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SignIn",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("success", "Signed in"),
                            ("failed", "Wrong password or code"),
                            ("locked", "Too many attempts"),
                        ],
                        max_length=8,
                    ),
                ),
                ("method", models.CharField(blank=True, max_length=40)),
                ("address", models.GenericIPAddressField(null=True)),
                ("client", models.CharField(blank=True, max_length=300)),
                ("device", models.BinaryField(max_length=32, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sign_ins",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TradingAccount",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("venue", models.CharField(max_length=32, verbose_name="venue")),
                (
                    "kind",
                    models.CharField(
                        choices=[("demo", "Demo"), ("live", "Live"), ("prop", "Prop firm")],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        choices=[
                            ("USD", "USD"),
                            ("EUR", "EUR"),
                            ("GBP", "GBP"),
                            ("CHF", "CHF"),
                            ("JPY", "JPY"),
                            ("AUD", "AUD"),
                            ("CAD", "CAD"),
                        ],
                        max_length=3,
                        verbose_name="currency",
                    ),
                ),
                ("firm", models.CharField(blank=True, max_length=60, verbose_name="firm")),
                ("program", models.CharField(blank=True, max_length=80, verbose_name="program")),
                (
                    "phase",
                    models.CharField(
                        blank=True,
                        choices=[("evaluation", "Evaluation"), ("verification", "Verification"), ("funded", "Funded")],
                        max_length=16,
                        verbose_name="phase",
                    ),
                ),
                (
                    "size",
                    models.DecimalField(
                        blank=True,
                        decimal_places=8,
                        max_digits=20,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("1E-8"))],
                        verbose_name="account size",
                    ),
                ),
                ("credentials", models.TextField(blank=True, editable=False, null=True)),
                ("credentials_at", models.DateTimeField(editable=False, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("ready", "Ready"), ("paused", "Paused"), ("closed", "Closed")],
                        default="ready",
                        max_length=8,
                    ),
                ),
                ("status_reason", models.CharField(blank=True, max_length=300)),
                ("status_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("is_auto_trading", models.BooleanField(default=False, verbose_name="auto-trading")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("email"), name="accounts_user_email_any_case"
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="accounts_membership_tenant"),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(fields=("organization", "user"), name="accounts_membership_once"),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                condition=models.Q(("role", "owner")), fields=("organization",), name="accounts_membership_one_owner"
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="accounts_invitation_tenant"),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(
                models.F("organization"),
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("accepted_at", None), ("withdrawn_at", None)),
                name="accounts_invitation_one_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="datakey",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="accounts_datakey_tenant"),
        ),
        migrations.AddConstraint(
            model_name="datakey",
            constraint=models.UniqueConstraint(fields=("organization", "version"), name="accounts_datakey_version"),
        ),
        migrations.AddConstraint(
            model_name="datakey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("retired_at", None)), fields=("organization",), name="accounts_datakey_one_current"
            ),
        ),
        migrations.AddConstraint(
            model_name="dataexport",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="accounts_dataexport_tenant"),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="accounts_apikey_tenant"),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(fields=("organization", "prefix"), name="accounts_apikey_prefix"),
        ),
        migrations.AddConstraint(
            model_name="acknowledgement",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="accounts_acknowledgement_tenant"),
        ),
        migrations.AddConstraint(
            model_name="acknowledgement",
            constraint=models.UniqueConstraint(
                fields=("organization", "user", "document", "version"), name="accounts_acknowledgement_once"
            ),
        ),
        migrations.AddIndex(
            model_name="signin",
            index=models.Index(fields=["user", "-at"], name="accounts_signin_user_at"),
        ),
        migrations.AddConstraint(
            model_name="tradingaccount",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="accounts_tradingaccount_tenant"),
        ),
        migrations.AddConstraint(
            model_name="tradingaccount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "closed"), _negated=True),
                fields=("organization", "name"),
                name="accounts_tradingaccount_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="tradingaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "prop"), _negated=True),
                    models.Q(
                        models.Q(("firm", ""), _negated=True),
                        models.Q(("program", ""), _negated=True),
                        models.Q(("phase", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="accounts_tradingaccount_prop_complete",
            ),
        ),
        migrations.AddConstraint(
            model_name="tradingaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_auto_trading", False), ("status", "ready"), _connector="OR"),
                name="accounts_tradingaccount_trades_when_ready",
            ),
        ),
        *TENANTS,
    ]
