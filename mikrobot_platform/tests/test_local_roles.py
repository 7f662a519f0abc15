"""The three roles, on the suite's own server: what each may do, and who else may prepare them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from mikrobot_platform.local import roles
from mikrobot_platform.local.addresses import Login, Plan, with_login
from mikrobot_platform.local.problem import Problem

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("other_owner", "other_app", "other_engine")
PLAN = Plan(
    owner=Login(name=NAMES[0], password="o:/@ %"),
    app=Login(name=NAMES[1], password="a"),
    engine=Login(name=NAMES[2], password="e"),
    database="other db",
)


@pytest.fixture
def creator(admin_url: str) -> Iterator[str]:
    """Give the address of a role that may create roles and databases without being a superuser, as hosted ones are."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("create role hosted login createrole createdb password 'h'")
        admin.execute("grant connect on database postgres to hosted")
        try:
            yield with_login(admin_url, Login(name="hosted", password="h"), "postgres")
        finally:
            admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(PLAN.database)))
            admin.execute("revoke connect on database postgres from hosted")
            for name in (*NAMES, "hosted"):
                admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


def open_as(admin_url: str, login: Login) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(with_login(admin_url, login, PLAN.database), autocommit=True)


def test_the_suite_runs_on_its_own_server_as_the_three_roles(admin_url: str) -> None:
    from django.db import connections

    for alias in ("default", "engine", "owner"):
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "select current_user, inet_server_port(), current_setting('fsync'), current_setting('TimeZone'), "
                "rolsuper or rolbypassrls or rolcreaterole from pg_roles where rolname = current_user"
            )
            user, port, fsync, zone, is_mighty = cursor.fetchone()
        assert user == settings.DATABASES[alias]["USER"]
        assert port == urlsplit(admin_url).port
        assert (fsync, zone, is_mighty) == ("off", "UTC", False)


def test_an_administrator_who_is_no_superuser_prepares_twice(admin_url: str, creator: str) -> None:
    roles.ensure(creator, PLAN)
    with open_as(admin_url, PLAN.owner) as owner:
        owner.execute("create table kept (id int)")
    roles.ensure(creator, PLAN)
    with open_as(admin_url, PLAN.owner) as owner:
        assert owner.execute("select count(*) from kept").fetchone() == (0,)
        assert owner.execute("show statement_timeout").fetchone() == ("0",)
    for login, statement, idle in ((PLAN.app, "15s", "1min"), (PLAN.engine, "1min", "1min")):
        with open_as(admin_url, login) as connection:
            assert connection.execute("show statement_timeout").fetchone() == (statement,)
            assert connection.execute("show idle_in_transaction_session_timeout").fetchone() == (idle,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("create table mine (id int)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select from kept")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("create temp table mine (id int)")


def test_a_role_that_is_too_mighty_is_narrowed(admin_url: str, creator: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("create role other_app login superuser bypassrls createrole createdb")
        roles.ensure(admin_url, PLAN)
        mighty = admin.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles where rolname = 'other_app'"
        ).fetchone()
    assert mighty == (False, False, False, False)


def test_somebody_elses_tables_are_left_alone(admin_url: str, creator: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute('create database "other db"')
    with psycopg.connect(with_login(admin_url, Login.from_url(admin_url), PLAN.database), autocommit=True) as admin:
        admin.execute("create table theirs (id int)")
    with pytest.raises(Problem, match="1 tables that are not MikroBot's"):
        roles.ensure(admin_url, PLAN)
    with psycopg.connect(admin_url) as admin:
        assert admin.execute("select from pg_roles where rolname = any(%s)", [list(NAMES)]).fetchone() is None


def test_a_role_that_may_not_create_roles_is_told_what_to_do(admin_url: str) -> None:
    app = with_login(admin_url, Login.from_url(str_of("default")), urlsplit(admin_url).path.lstrip("/"))
    with pytest.raises(Problem) as caught:
        roles.ensure(app, PLAN)
    assert "DATABASE_OWNER_URL" in caught.value.remedy


def test_prepare_makes_a_database_ready_and_may_run_twice(admin_url: str) -> None:
    name = "prepared"
    variables = {
        variable: with_login(admin_url, Login.from_url(os.environ[variable]), name)
        for variable in ("DATABASE_URL", "DATABASE_ENGINE_URL", "DATABASE_OWNER_URL")
    }
    environment = {**os.environ, **variables, "DATABASE_ADMIN_URL": admin_url, "MIKROBOT_BOOTSTRAP": "off"}
    command = [sys.executable, str(ROOT / "manage.py"), "prepare"]
    try:
        for said in ("Applying accounts.", "No migrations to apply"):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert said in done.stdout
        with psycopg.connect(variables["DATABASE_URL"]) as app:
            assert app.execute("select count(*) > 0 from pg_tables where schemaname = 'public'").fetchone() == (True,)
    finally:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))


def str_of(alias: str) -> str:
    found = settings.DATABASES[alias]
    return f"postgresql://{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"
