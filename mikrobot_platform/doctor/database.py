"""PostgreSQL: reachable, of a known version, with harmless roles, every migration and policy, and no grant too many."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from django.conf import settings

from mikrobot_platform import stores
from mikrobot_platform.db.operations import APP_ROLE, ENGINE_ROLE
from mikrobot_platform.doctor import Finding, fail, ok, told

Cursor = psycopg.Cursor[tuple[Any, ...]]

OLDEST = 16  # what the migrations and roles are written for; the embedded one and the images are 18
MIGRATE = "Run `python3 manage.py migrate` as the owner (in Kubernetes: the migrations job)."
# The triggers that link the audit chain, refuse its change and order the outbox.
GUARDS = ("accounts_audit_append_only", "accounts_audit_link", "accounts_outbox_order")


def reachable() -> Finding:
    began = time.perf_counter()
    try:
        with stores.postgres("default") as cursor:
            version = cursor.connection.info.server_version
    except psycopg.OperationalError as error:
        return fail(f"PostgreSQL at {_place()} does not answer ({told(error)})", "Start it, or correct DATABASE_URL.")
    sentence = f"PostgreSQL {version // 10_000}.{version % 10_000} at {_place()}"
    if version // 10_000 < OLDEST:
        return fail(sentence, f"Upgrade to PostgreSQL {OLDEST} or newer; 18 is what it is tested with.")
    return ok(f"{sentence}, connected in {(time.perf_counter() - began) * 1000:.0f} ms")


def _place() -> str:
    known: dict[str, Any] = settings.DATABASES["default"]
    return f"{known['HOST'] or 'the local socket'}:{known['PORT'] or 5432}/{known['NAME']}"


def roles() -> Finding:
    names = []
    for alias in ("default", "engine"):
        with stores.postgres(alias) as cursor:
            name = cursor.connection.info.user
            powers = stores.powers(cursor)
        if powers:
            return fail(f"{name} {' and '.join(powers)}", "Run `python3 manage.py prepare`, which narrows the roles.")
        names.append(name)
    if len(set(names)) < len(names):
        return fail(f"web and workers share the role {names[0]}", "Give DATABASE_ENGINE_URL a role of its own.")
    return ok(f"{' and '.join(names)} are no superusers, own no table and pass no policy")


def migrations() -> Finding:
    with stores.postgres("default") as cursor:
        try:
            missing = stores.missing_migrations(cursor)
        except psycopg.errors.UndefinedTable:
            return fail("the database is empty", MIGRATE)
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        return fail(f"{len(missing)} not applied: {', '.join(missing[:3])}{more}", MIGRATE)
    return ok("all applied")


def tenants() -> Finding:
    with stores.postgres("default") as cursor:
        return policies(cursor)


def policies(cursor: Cursor) -> Finding:
    """Look at every table that has a tenant: enabled, forced, and no policy that does not ask whose it is."""
    cursor.execute(_TENANT_TABLES)
    tables = cursor.fetchall()
    open_ones = [f"{name} {problem}" for name, problem in tables if problem]
    if open_ones:
        return fail("; ".join(open_ones), "Stop the service and restore the policies at once.")
    if not tables:
        return fail("there is no tenant table", MIGRATE)
    return ok(f"row-level security is forced, with policies, on all {len(tables)} tenant tables")


_TENANT_TABLES = """
    select c.relname,
           case when not c.relrowsecurity then 'has no row-level security'
                when not c.relforcerowsecurity then 'does not force row-level security'
                when not exists (select from pg_policy p where p.polrelid = c.oid) then 'has no policy'
                when exists (select from pg_policy p where p.polrelid = c.oid and (
                    pg_get_expr(p.polqual, p.polrelid) is null and p.polcmd <> 'a'
                    or pg_get_expr(p.polqual, p.polrelid) not like '%current_setting%'
                    or pg_get_expr(p.polwithcheck, p.polrelid) not like '%current_setting%'))
                then 'has a policy that does not ask for the tenant' end
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p')
      and (c.relname = 'accounts_organization' or exists (
          select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped))
    order by 1
"""


def grants() -> Finding:
    with stores.postgres("default") as cursor:
        return rights(cursor)


def rights(cursor: Cursor) -> Finding:
    """Look for rights that nobody should have, and for the triggers that guard audit and outbox."""
    cursor.execute(_RIGHTS_TOO_MANY, {"roles": [APP_ROLE, ENGINE_ROLE]})
    excess = [f"{role} may {right} {table}" for role, right, table in cursor.fetchall()]
    cursor.execute("select tgname from pg_trigger where tgenabled in ('O', 'A')")
    off = sorted(set(GUARDS) - {row[0] for row in cursor.fetchall()})
    if excess:
        return fail("; ".join(excess[:5]), "REVOKE these rights as the owner, and find out who granted them.")
    if off:
        return fail(f"triggers missing or switched off: {', '.join(off)}", "Switch them on as the owner at once.")
    return ok("nobody may truncate or create tables, or change the audit trail; its triggers are on")


_RIGHTS_TOO_MANY = """
    select r.rolname, right_name, c.relname
    from pg_class c join pg_namespace n on n.oid = c.relnamespace, pg_roles r,
         unnest(array['TRUNCATE', 'TRIGGER', 'REFERENCES', 'UPDATE', 'DELETE']) right_name
    where n.nspname = 'public' and c.relkind in ('r', 'p') and r.rolname = any(%(roles)s)
      and (right_name not in ('UPDATE', 'DELETE') or c.relname = 'accounts_auditentry')
      and has_table_privilege(r.oid, c.oid, right_name)
    union all
    select r.rolname, 'create tables in', 'the schema public' from pg_roles r
    where r.rolname = any(%(roles)s) and has_schema_privilege(r.oid, 'public', 'CREATE')
    order by 1, 2, 3
"""
