"""The three database roles: owner migrates, app serves, engine works across tenants. None bypasses row-level security.

Session settings are the roles' defaults and nothing else, so that PgBouncer in transaction mode stays safe."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import Connection, conninfo, errors, sql

from mikrobot_platform.local.addresses import Login, Plan, database_of, place
from mikrobot_platform.local.problem import Problem

DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "owner": {"timezone": "UTC", "statement_timeout": "0", "lock_timeout": "0"},
    "app": {
        "timezone": "UTC",
        "statement_timeout": "15s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "60s",
    },
    "engine": {"timezone": "UTC", "statement_timeout": "60s", "idle_in_transaction_session_timeout": "60s"},
}


def ensure(admin: str, plan: Plan) -> None:
    """Create what is missing and set everything right, over a connection that may create roles; twice equals once.

    1. A database with other people's tables is left alone.
    2. Roles, with what each must not be said as well: an older, wider role is narrowed. They are cluster-wide.
    3. The database, owned by the owner role, closed to everyone who is not named.
    4. Inside it: the schema is the owner's, the other two may look into it. Tables grant themselves in migrations."""
    try:
        with _connect(admin) as connection:
            if _has_database(connection, plan):
                _refuse_strangers(conninfo.make_conninfo(admin, dbname=plan.database), plan)
            for kind, login in (("owner", plan.owner), ("app", plan.app), ("engine", plan.engine)):
                _role(connection, kind, login)
            _database(connection, plan)
        with psycopg.connect(conninfo.make_conninfo(admin, dbname=plan.database), autocommit=True) as connection:
            _schema(connection, plan)
    except errors.InsufficientPrivilege as error:
        raise Problem(
            f"The database role of the given address may not create roles and databases ({_first_line(error)}).",
            "Give the address of a role that may (CREATEROLE and CREATEDB), or prepare the three roles yourself and "
            "set DATABASE_URL, DATABASE_ENGINE_URL and DATABASE_OWNER_URL.",
        ) from error
    except psycopg.OperationalError as error:
        raise Problem(
            f"The database server at {place(admin)} was not reached ({_first_line(error)}).",
            "Check the address, the password and that the server runs.",
        ) from error


def _connect(admin: str) -> Connection[tuple[object, ...]]:
    # The named database may not exist yet; every server has one called postgres.
    try:
        return psycopg.connect(admin, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        if f'database "{database_of(admin)}" does not exist' not in str(error):
            raise
    return psycopg.connect(conninfo.make_conninfo(admin, dbname="postgres"), autocommit=True, connect_timeout=10)


def _role(connection: Connection[tuple[object, ...]], kind: str, login: Login) -> None:
    name = sql.Identifier(login.name)
    if not _holds(connection, "select from pg_roles where rolname = %s", login.name):
        connection.execute(sql.SQL("create role {}").format(name))
    # The server gets the SCRAM verifier, so that no password can end in its log.
    verifier = connection.pgconn.encrypt_password(login.password.encode(), login.name.encode(), b"scram-sha-256")
    create_database = sql.SQL("createdb" if kind == "owner" else "nocreatedb")
    connection.execute(
        sql.SQL("alter role {} with login inherit nocreaterole {} password {}").format(
            name, create_database, sql.Literal(verifier.decode())
        )
    )
    # Only a superuser may mention these two, and only where they are set need they be taken back.
    if _holds(connection, "select from pg_roles where rolname = %s and (rolsuper or rolbypassrls)", login.name):
        connection.execute(sql.SQL("alter role {} with nosuperuser nobypassrls").format(name))
    for setting, value in DEFAULTS[kind].items():
        connection.execute(
            sql.SQL("alter role {} set {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
        )


def _database(connection: Connection[tuple[object, ...]], plan: Plan) -> None:
    database, owner = sql.Identifier(plan.database), sql.Identifier(plan.owner.name)
    belongs = _holds(
        connection,
        "select from pg_database d join pg_roles r on r.oid = d.datdba where d.datname = %s and r.rolname = %s",
        plan.database,
        plan.owner.name,
    )
    if not belongs and not _holds(connection, "select from pg_roles where rolname = current_user and rolsuper"):
        # Since PostgreSQL 16 the creator of a role must make itself a member before it may give it something.
        connection.execute(sql.SQL("grant {} to current_user").format(owner))
    if not _has_database(connection, plan):
        connection.execute(sql.SQL("create database {} owner {}").format(database, owner))
    elif not belongs:
        connection.execute(sql.SQL("alter database {} owner to {}").format(database, owner))
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    for login in (plan.app, plan.engine):
        connection.execute(sql.SQL("grant connect on database {} to {}").format(database, sql.Identifier(login.name)))


def _refuse_strangers(address: str, plan: Plan) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        strangers = connection.execute(
            "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_roles r on r.oid = c.relowner "
            "where n.nspname = 'public' and c.relkind in ('r', 'p') and r.rolname <> %s",
            [plan.owner.name],
        ).fetchone()
    if strangers and strangers[0]:
        raise Problem(
            f"The database {plan.database} already holds {strangers[0]} tables that are not MikroBot's.",
            "Name an empty or a new database in the address.",
        )


def _schema(connection: Connection[tuple[object, ...]], plan: Plan) -> None:
    owner = sql.Identifier(plan.owner.name)
    for statement in ("alter schema public owner to {}", "revoke all on schema public from public"):
        connection.execute(sql.SQL(statement).format(owner))
    for login in (plan.app, plan.engine):
        connection.execute(sql.SQL("grant usage on schema public to {}").format(sql.Identifier(login.name)))


def close_to_public(admin: str, databases: tuple[str, ...] = ("postgres", "template1")) -> None:
    """Keep our roles out of a cluster's other databases; only where the whole cluster is ours."""
    with psycopg.connect(admin, autocommit=True) as connection:
        for database in databases:
            connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))


def _has_database(connection: Connection[tuple[object, ...]], plan: Plan) -> bool:
    return _holds(connection, "select from pg_database where datname = %s", plan.database)


def _holds(connection: Connection[tuple[object, ...]], question: str, *names: str) -> bool:
    return connection.execute(question.encode(), names).fetchone() is not None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else error.__class__.__name__
