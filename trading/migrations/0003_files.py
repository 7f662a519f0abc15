"""Sources that read a file: where it lies, what is known of it, and which version of it a message is."""

import django.db.models.deletion
from django.db import migrations, models

import mikrobot_platform.db.ids
from mikrobot_platform.db.operations import ENGINE_ROLE, platform_rows, tenant_reference, tenant_table

# The web's role may write sources, and must never name a file on the server's disk: that is for whoever has the server.
PATHS = f"""
CREATE FUNCTION trading_refuse_path() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_has_role(current_user, '{ENGINE_ROLE}', 'MEMBER') THEN
        RAISE EXCEPTION 'which file a source reads is not for this role to say' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trading_source_path_made BEFORE INSERT ON trading_source
    FOR EACH ROW WHEN (NEW.path <> '') EXECUTE FUNCTION trading_refuse_path();
CREATE TRIGGER trading_source_path_changed BEFORE UPDATE ON trading_source
    FOR EACH ROW WHEN (NEW.path IS DISTINCT FROM OLD.path OR NEW.answers IS DISTINCT FROM OLD.answers)
    EXECUTE FUNCTION trading_refuse_path();
"""
PATHS_UNDO = """
DROP TRIGGER trading_source_path_changed ON trading_source;
DROP TRIGGER trading_source_path_made ON trading_source;
DROP FUNCTION trading_refuse_path();
"""

POLICIES = [
    tenant_table("trading_sourcefile", read=["staff", "doctor"], grants="SELECT"),
    platform_rows("trading_sourcefile", scope="signals.platform", is_shared=False),
    tenant_reference("trading_sourcefile", "source_id", "trading_source", on_delete="CASCADE"),
    migrations.RunSQL(
        f"GRANT INSERT, UPDATE, DELETE ON trading_sourcefile TO {ENGINE_ROLE}", reverse_sql=migrations.RunSQL.noop
    ),
    migrations.RunSQL(PATHS, reverse_sql=PATHS_UNDO),
]

KINDS = [
    ("received", "Received"),
    ("parsed", "Read"),
    ("refused", "Refused"),
    ("duplicate", "Came again"),
    ("gap", "Messages are missing before it"),
    ("judged", "Judged"),
    ("moved_on", "Stood still and was moved on"),
    ("quarantined", "Quarantined"),
    ("acknowledged", "Its answer was acknowledged"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0002_doors"),
    ]

    operations = [
        migrations.CreateModel(
            name="SourceFile",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=mikrobot_platform.db.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(editable=False)),
                ("raw_id", models.UUIDField(null=True)),
                ("changed_ns", models.BigIntegerField(null=True)),
                ("size", models.BigIntegerField(null=True)),
                ("sha256", models.BinaryField(max_length=32, null=True)),
                ("kept_at", models.DateTimeField(null=True)),
                ("missed", models.BigIntegerField(default=0)),
                ("kept_aside", models.JSONField(default=list)),
                ("brought_ns", models.BigIntegerField(null=True)),
                (
                    "read_by",
                    models.CharField(
                        choices=[("events", "File events"), ("poll", "Looking at times")], default="poll", max_length=6
                    ),
                ),
                ("seen_at", models.DateTimeField(null=True)),
                ("looked_at", models.DateTimeField(null=True)),
                ("code", models.CharField(blank=True, max_length=60)),
                ("sentence", models.TextField(blank=True)),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="trading.source",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "id"), name="trading_sourcefile_tenant"),
                    models.UniqueConstraint(fields=("organization_id", "source"), name="trading_sourcefile_once"),
                ],
            },
        ),
        migrations.AddField(
            model_name="source",
            name="path",
            field=models.CharField(blank=True, default="", editable=False, max_length=400),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="source",
            name="answers",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.UniqueConstraint(
                condition=models.Q(("path", ""), _negated=True), fields=("path",), name="trading_source_path"
            ),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answers", False), ("path", "")),
                    models.Q(("kind", "ea_file"), models.Q(("path", ""), _negated=True)),
                    _connector="OR",
                ),
                name="trading_source_files_only",
            ),
        ),
        migrations.AddField(
            model_name="rawsignal",
            name="changed_ns",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name="rawsignal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("changed_ns__isnull", False)),
                fields=("organization_id", "source_id", "changed_ns", "size", "sha256"),
                name="trading_rawsignal_version",
            ),
        ),
        migrations.AlterField(
            model_name="signalevent",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=12),
        ),
        *POLICIES,
    ]
