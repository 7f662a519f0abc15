"""What every tenant table descends from: a manager that fails closed, a save() that stays at home."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import connections, models
from django.db.models.base import ModelState

from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import array, ask
from mikrobot_platform.db.scope import NoTenant, ScopeError


class TenantManager(models.Manager[Any]):
    """Answer inside a scope only."""

    def get_queryset(self) -> models.QuerySet[Any]:
        scope = scopes.current()
        if scope.organization_id is not None:
            return super().get_queryset().filter(organization_id=scope.organization_id)
        if scope.system is not None:
            return super().get_queryset()
        raise NoTenant(f"{self.model.__name__} was asked for without a tenant scope")

    def fetch(self, where: str, values: Mapping[str, Any], *, defer: Collection[str] = ()) -> list[Any]:
        """Fetch rows by a condition that the code spells out: planned once, however many values it has.

        `filter(pk__in=...)` writes each value into the statement, which is then built, read and planned anew. The table
        is called t, as in "t.id = any(%(ids)s::uuid[])".
        """
        where, values = _mine(self.model, where, values)
        return fetch(self.model, where, values, defer=defer)

    def of(self, accounts: Several, where: str = "true", *, rarely: str = "", **values: Any) -> list[Any]:
        """Fetch the rows of several accounts, each by the index; `rarely` is what holds for so few that they go first.

        Both in one statement, so that what changes from one to the other is not missed between two.
        """
        fields, table = self.model._meta.concrete_fields, self.model._meta.db_table
        columns = _columns(fields)
        where, asked = _mine(self.model, where, {**values, "owners": accounts.owners, "accounts": accounts.accounts})
        # The offsets keep PostgreSQL from turning these into joins, which it plans by figures that it does not have.
        statement = (
            f'select {columns} from {_WANTED} cross join lateral (select * from "{table}" t where'  # noqa: S608
            " t.organization_id = wanted.organization_id and t.account_id = wanted.account_id"
            f" and {where} offset 0) t"
        )
        if rarely:
            rarely, asked = _mine(self.model, rarely, asked)
            statement += (
                f' union all select {columns} from (select * from "{table}" t where {rarely} offset 0) t'  # noqa: S608
                f" join {_WANTED} on t.organization_id = wanted.organization_id and t.account_id = wanted.account_id"
            )
        return made(self.model, fields, ask(statement, asked))


@dataclass(frozen=True, slots=True)
class Several:
    """Several accounts and whose they are, as two arrays: rows are found by indexes that begin with the owner."""

    owners: str
    accounts: str

    @classmethod
    def of(cls, accounts: Iterable[tuple[UUID | str, UUID | str]]) -> Self:
        """Take pairs of owner and account."""
        pairs = list(accounts)
        return cls(array(owner for owner, _ in pairs), array(account for _, account in pairs))


_WANTED = "unnest(%(owners)s::uuid[], %(accounts)s::uuid[]) as wanted (organization_id, account_id)"


def fetch(
    model: type[models.Model], where: str, values: Mapping[str, Any], *, defer: Collection[str] = ()
) -> list[Any]:
    """Fetch rows of any model like this."""
    fields = [field for field in model._meta.concrete_fields if field.attname not in defer]
    statement = f'select {_columns(fields)} from "{model._meta.db_table}" t where {where}'  # noqa: S608
    return made(model, fields, ask(statement, values))


def _columns(fields: Iterable[Any]) -> str:
    return ", ".join(f't."{field.column}"' for field in fields)


def _mine(model: type[models.Model], where: str, values: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Ask for rows of the organization in scope; row-level security would show no others anyway."""
    scope = scopes.current()
    if scope.organization_id is not None:
        return f"({where}) and t.organization_id = %(mine)s", {**values, "mine": scope.organization_id}
    if scope.system is None:
        raise NoTenant(f"{model.__name__} was asked for without a tenant scope")
    return f"({where})", values


def made(model: type[models.Model], fields: Sequence[Any], rows: Iterable[Sequence[Any]]) -> list[Any]:
    """Make rows of a model of the values of some of its columns, as the ORM would have fetched them.

    What `Model.__init__` does for each field is most of what fetching costs, and none of it is needed here.
    """
    alias, names = scopes.current().alias, [field.attname for field in fields]
    reads = [(at, one.from_db_value) for at, one in enumerate(fields) if hasattr(one, "from_db_value")]
    connection, found = connections[alias], []
    for row in rows:
        values = list(row)
        for at, read in reads:
            values[at] = read(values[at], None, connection)
        one = model.__new__(model)
        one.__dict__.update(zip(names, values, strict=True))
        one._state = state = ModelState()
        state.adding, state.db = False, alias
        found.append(one)
    return found


class TenantRow(models.Model):
    """A row that belongs to one organization, without a reference to it: for hot, append-only tables."""

    organization_id: models.UUIDField[Any, Any] | UUID
    objects: ClassVar[TenantManager] = TenantManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the row in the current tenant; a row of another one is refused before the database refuses it."""
        scope = scopes.current()
        if scope.system is None:
            mine = scopes.organization()
            if self.organization_id is None:
                self.organization_id = mine
            elif self.organization_id != mine:
                raise ScopeError(f"this {type(self).__name__} belongs to another organization")
        super().save(*args, **kwargs)


class TenantModel(TenantRow):
    """A row of one organization; its id sorts by time and can be pointed at from the same organization only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, editable=False, db_index=False, related_name="+"
    )

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Composite foreign keys need this target; it is also the index that every tenant query starts from.
            models.UniqueConstraint(fields=["organization", "id"], name="%(app_label)s_%(class)s_tenant"),
        ]

    @classmethod
    def locked(cls, pk: UUID) -> Self:
        """Read one row of this tenant for update, or raise DoesNotExist."""
        row: Self = cls.objects.select_for_update().get(pk=pk)
        return row
