"""Tell owners of prop accounts which rules of their firm changed, and what is not sure about them: each once.

How it is told once:
1. A row of each account keeps what its owner was told last. Where today's edition or doubt is another, there is news.
2. An organization's rows are locked while its news is made; rows and events commit together, so that two runs at once,
   or a run that dies, tell nothing twice and leave nothing out.
3. A doubt (nobody has verified the rules for 30 days; no such program is known) is told when it begins. While it lasts
   it is the same one, however many days pass.
4. An edition that is not among our files belongs to a newer version of us, in the midst of a deploy: that one tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import transaction

from accounts import outbox
from accounts.models import AccountStatus, TradingAccount
from accounts.tenancy import system_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.events import EventName
from risk_management.compliance.changes import changes
from risk_management.compliance.notices import Notice, notice, stale
from risk_management.compliance.program import Program
from risk_management.models import AccountProgram
from risk_management.services import programs, states

SCOPE = "gate.programs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """By which program an account lives today, and what is not sure about that."""

    program: Program | None
    doubt: tuple[Notice, ...]

    @property
    def key(self) -> str:
        """Name the edition; empty when none is known."""
        return "" if self.program is None else programs.key_of(self.program)

    @property
    def doubt_key(self) -> str:
        """Name the doubt, without the day on which somebody looks; empty when there is none."""
        if not self.doubt:
            return ""
        about = self.doubt[-1].evidence["program"]
        since = "" if self.program is None else f", verified {self.program.edition.verified}"
        return f"{self.doubt[-1].code}: {about}{since}"

    @property
    def doubt_sentence(self) -> str:
        """Say what is not sure."""
        return " ".join(one.sentence for one in self.doubt)


def standing(account: TradingAccount, *, today: date) -> Standing:
    """Find the program of a prop account, and what its owner should know besides."""
    found = programs.find(account, on=today)
    if found is None:
        name = f"{account.firm} {account.program}, {account.phase}"
        return Standing(program=None, doubt=(notice(Code.PROGRAM_UNKNOWN, program=name),))
    return Standing(program=found.program, doubt=found.notices)


def tell(*, now: datetime) -> int:
    """Look at every prop account and publish what its owner does not know yet; return how many events that took."""
    today = now.date()
    with system_scope(SCOPE):
        rows = _told(AccountProgram.objects.all())
        waiting = sorted(
            {
                account.organization_id
                for account in _prop_accounts()
                if _is_news(rows.get(account.pk), standing(account, today=today))
            }
        )
    published = 0
    for organization_id in waiting:
        scope = scopes.Scope(organization_id=organization_id, alias=scopes.ENGINE)
        with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
            published += _tell_owner(now)
    return published


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How sure we are of the rules we hold, and how many accounts live by rules that are not sure."""

    editions: int  # in force today
    stale: tuple[str, ...]  # of them, those that nobody has verified for 30 days, the oldest first
    accounts: int  # prop accounts
    unknown: int  # of them, those whose program is not known: advice only


def overview(*, now: datetime) -> Overview:
    """Look at our own files and at every prop account, for those who run the platform."""
    today = now.date()
    by_edition = {one.edition: one for one in programs.library().programs if one.edition.holds_on(today)}
    holding = sorted(by_edition.values(), key=lambda one: one.edition.verified)
    accounts = _prop_accounts()
    return Overview(
        editions=len(holding),
        stale=tuple(
            f"{one.edition.firm} {one.edition.program}, verified {one.edition.verified}"
            for one in holding
            if stale(one, today=today)
        ),
        accounts=len(accounts),
        unknown=sum(standing(one, today=today).program is None for one in accounts),
    )


def _prop_accounts() -> Sequence[TradingAccount]:
    rows = TradingAccount.objects.filter(kind=TradingAccount.Kind.PROP).exclude(status=AccountStatus.CLOSED)
    return list(rows.defer("credentials").order_by("organization_id", "pk"))


def _told(rows: object) -> Mapping[UUID, AccountProgram]:
    return {row.account_id: row for row in rows}  # type: ignore[attr-defined]  # a queryset of them


def _is_news(row: AccountProgram | None, found: Standing) -> bool:
    if row is None:
        return True
    if row.program and programs.by_key(row.program) is None:
        return False
    return (found.key or row.program, found.doubt_key) != (row.program, row.doubt)


def _tell_owner(now: datetime) -> int:
    """Bring one organization's rows and states up to date, and publish what that brought."""
    accounts = _prop_accounts()
    AccountProgram.objects.bulk_create(
        [AccountProgram(organization_id=one.organization_id, account=one, told_at=now) for one in accounts],
        ignore_conflicts=True,
    )
    rows = _told(AccountProgram.objects.select_for_update().order_by("account_id"))
    changed: dict[tuple[str, str], list[str]] = {}
    unsure: dict[str, list[str]] = {}
    for account in accounts:
        row, found = rows[account.pk], standing(account, today=now.date())
        if not _is_news(row, found):
            continue
        if found.program is not None:
            states.move_on(account.pk, found.program, at=now)
        if found.key and row.program and found.key != row.program:
            changed.setdefault((row.program, found.key), []).append(str(account.pk))
        if found.doubt_key and found.doubt_key != row.doubt:
            unsure.setdefault(found.doubt_sentence, []).append(str(account.pk))
        row.program, row.told_at = found.key or row.program, now
        row.doubt, row.doubt_sentence = found.doubt_key, found.doubt_sentence
        row.save()
    told = list(_changes(changed))
    if told:
        outbox.publish(EventName.PROGRAM_CHANGED, programs=told)
    if unsure:
        outbox.publish(
            EventName.PROGRAM_UNSURE,
            doubts=[{"sentence": sentence, "accounts": ids} for sentence, ids in unsure.items()],
        )
    return bool(told) + bool(unsure)


def _changes(found: Mapping[tuple[str, str], list[str]]) -> Iterator[dict[str, object]]:
    """Say what changed from one edition to the next, and for which accounts; what its owner changed is no news."""
    for (before, after), accounts in found.items():
        old, new = programs.by_key(before), programs.by_key(after)
        assert old is not None, before
        assert new is not None, after
        made = changes(old, new) if _is_same(old, new) else ()
        if made:
            yield {
                "program": new.title,
                "version": new.edition.version,
                "valid_from": new.edition.valid_from.isoformat(),
                "accounts": accounts,
                "changes": [
                    {
                        "rule": one.rule,
                        "before": one.before,
                        "after": one.after,
                        "verified": one.verified.isoformat(),
                        "source": one.source,
                    }
                    for one in made
                ],
            }


def _is_same(old: Program, new: Program) -> bool:
    """Tell whether two editions are of one program; else the account was moved to another one by its owner."""
    return all(getattr(old.edition, name) == getattr(new.edition, name) for name in ("firm", "program")) and (
        old.phase,
        old.size,
        old.variant,
    ) == (new.phase, new.size, new.variant)
