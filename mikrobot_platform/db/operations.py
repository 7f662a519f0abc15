"""What a migration says beside a tenant table: its policy, its grants, its references.

Migrations call these once and are then history: change what a function emits only for tables to come.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.migrations import RunSQL

PLATFORM = "'00000000-0000-0000-0000-000000000000'::uuid"  # the organization of rows that belong to none
APP_ROLE, ENGINE_ROLE = "mikrobot_app", "mikrobot_engine"
ORGANIZATION = "(select nullif(current_setting('app.organization_id', true), '')::uuid)"
USER = "(select nullif(current_setting('app.user_id', true), '')::uuid)"
SYSTEM = "(select nullif(current_setting('app.system_scope', true), ''))"


def tenant_table(
    table: str,
    *,
    read: Sequence[str] = (),
    write: Sequence[str] = (),
    key: str = "organization_id",
    also_seen: str = "",
    grants: str = "SELECT, INSERT, UPDATE, DELETE",
) -> RunSQL:
    """Keep tenants apart in `table`.

    `read` and `write` name the system scopes that may cross tenants here, in the engine role only. `also_seen` is one
    more condition under which a row may be read (never written), such as a person's own memberships.
    """
    mine = f"{key} = {ORGANIZATION}"
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})",
        f"GRANT {grants} ON {table} TO {APP_ROLE}, {ENGINE_ROLE}",
    ]
    undo = [
        f"DROP POLICY tenant ON {table}",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    ]
    if also_seen:
        statements.append(f"CREATE POLICY own ON {table} FOR SELECT USING ({also_seen})")
        undo.insert(0, f"DROP POLICY own ON {table}")
    for name, verb, scopes in (("system_read", "SELECT", read), ("system_write", "ALL", write)):
        if scopes:
            names = ", ".join(f"'{scope}'" for scope in scopes)
            statements.append(
                f"CREATE POLICY {name} ON {table} FOR {verb} TO {ENGINE_ROLE} USING ({SYSTEM} IN ({names}))"
            )
            undo.insert(0, f"DROP POLICY {name} ON {table}")
    return RunSQL(";\n".join(statements), reverse_sql=";\n".join(undo))


def system_read(table: str, *, scope: str) -> RunSQL:
    """Let one more system scope read `table`, which has its policies already."""
    name = f"system_read_{scope.replace('.', '_')}"
    return RunSQL(
        f"CREATE POLICY {name} ON {table} FOR SELECT TO {ENGINE_ROLE} USING ({SYSTEM} IN ('{scope}'))",
        reverse_sql=f"DROP POLICY {name} ON {table}",
    )


def platform_rows(table: str, *, scope: str, is_shared: bool) -> RunSQL:
    """Let `table` hold rows of the platform, beside those of tenants.

    Only the engine role inside the system scope `scope` writes them. `is_shared`: whoever stands in an organization may
    read them. Nobody gets at them by claiming to be the organization with the id zero.
    """
    mine = f"organization_id = {PLATFORM}"
    statements = [
        f"CREATE POLICY system_platform ON {table} TO {ENGINE_ROLE}"
        f" USING ({mine} AND {SYSTEM} IN ('{scope}')) WITH CHECK ({mine} AND {SYSTEM} IN ('{scope}'))",
        f"CREATE POLICY no_pretender ON {table} AS RESTRICTIVE USING ({ORGANIZATION} IS DISTINCT FROM {PLATFORM})",
    ]
    undo = [f"DROP POLICY no_pretender ON {table}", f"DROP POLICY system_platform ON {table}"]
    if is_shared:
        statements.append(f"CREATE POLICY shared ON {table} FOR SELECT USING ({mine} AND {ORGANIZATION} IS NOT NULL)")
        undo.insert(0, f"DROP POLICY shared ON {table}")
    return RunSQL(";\n".join(statements), reverse_sql=";\n".join(undo))


def tenant_reference(table: str, column: str, parent: str, *, on_delete: str = "NO ACTION") -> RunSQL:
    """Let `column` point only at a row of the same organization: plain foreign keys look past row-level security."""
    name = f"{table}_{column}_same_organization"
    return RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {column})"
        f" REFERENCES {parent} (organization_id, id) ON DELETE {on_delete} DEFERRABLE INITIALLY IMMEDIATE",
        reverse_sql=f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def shared_table(table: str, *, grants: str = "SELECT, INSERT, UPDATE, DELETE") -> RunSQL:
    """Open a table without a tenant (people, sessions) to the app and engine roles."""
    return RunSQL(
        f"GRANT {grants} ON {table} TO {APP_ROLE}, {ENGINE_ROLE}",
        reverse_sql=f"REVOKE ALL ON {table} FROM {APP_ROLE}, {ENGINE_ROLE}",
    )
