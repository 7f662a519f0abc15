"""Trading accounts: list, connect, look after, close."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Permission
from accounts.auth import address
from accounts.models import AccountStatus, Acknowledgement, TradingAccount
from accounts.requests import HouseRequest
from accounts.services import people, trading_accounts
from dashboard.forms.organizations import TypedNameForm
from dashboard.forms.trading_accounts import AccountForm, AccountNameForm, CredentialsForm, PauseForm
from dashboard.views.doors import allowed, attempt, caller, in_organization, person, tell
from mikrobot_platform.kernel.registry import venues
from mikrobot_platform.kernel.venues import VenueInfo

ACCOUNT_FIELDS = {
    "name_invalid": "name",
    "name_taken": "name",
    "kind_invalid": "kind",
    "currency_invalid": "currency",
    "size_invalid": "size",
}


@require_safe
@in_organization
def listing(request: HouseRequest) -> HttpResponse:
    rows = list(TradingAccount.objects.order_by("created_at"))
    return render(
        request,
        "pages/trading_accounts.html",
        {
            "open": [row for row in rows if row.status != AccountStatus.CLOSED],
            "closed": [row for row in rows if row.status == AccountStatus.CLOSED],
        },
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_ACCOUNTS)
def new(request: HouseRequest) -> HttpResponse:
    """Connect an account at a venue; live and prop accounts ask for both documents in the same form."""
    cards = venues()
    code = request.POST.get("venue") or request.GET.get("venue") or (next(iter(cards)) if len(cards) == 1 else "")
    venue = cards.get(code)
    if venue is None:
        return render(request, "pages/trading_account_venue.html", {"venues": cards.values()})
    user = person(request)
    missing = {one for one in Acknowledgement.Document.values if not people.has_acknowledged(user.pk, one)}
    initial = {"kind": venue.kinds[0].value, "currency": user.currency}
    given = request.POST if request.method == "POST" else None
    form = AccountForm(given, venue=venue, missing=missing, initial=initial)
    if request.method == "POST" and form.is_valid():
        account = attempt(form, lambda: _open(request, form), ACCOUNT_FIELDS)
        if account is not None:
            messages.success(request, _("“%(name)s” is connected. Auto-trading is off.") % {"name": account.name})
            return redirect("trading_account", account.pk)
    return render(
        request, "pages/trading_account_new.html", {"form": form, "venue": venue}, status=422 if form.errors else 200
    )


def _open(request: HouseRequest, form: AccountForm) -> TradingAccount:
    for document in form.accepted():
        people.acknowledge(caller(request), document, address.of(request))
    return trading_accounts.open_account(caller(request), form.draft())


def _account(account_id: UUID) -> TradingAccount:
    account: TradingAccount | None = TradingAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise Http404
    return account


@never_cache
@require_safe
@in_organization
def account(request: HouseRequest, account_id: UUID) -> HttpResponse:
    return _account_page(request, _account(account_id))


def _account_page(
    request: HouseRequest,
    row: TradingAccount,
    *,
    name_form: AccountNameForm | None = None,
    credentials_form: CredentialsForm | None = None,
    pause_form: PauseForm | None = None,
) -> HttpResponse:
    venue: VenueInfo | None = venues().get(row.venue)
    forms = (name_form, credentials_form, pause_form)
    return render(
        request,
        "pages/trading_account.html",
        {
            "account": row,
            "venue": venue,
            "name_form": name_form or AccountNameForm(initial={"name": row.name}),
            "credentials_form": credentials_form or (CredentialsForm(venue=venue) if venue else None),
            "pause_form": pause_form or PauseForm(),
        },
        status=422 if any(form is not None and form.errors for form in forms) else 200,
    )


@require_POST
@allowed(Permission.MANAGE_ACCOUNTS)
def rename(request: HouseRequest, account_id: UUID) -> HttpResponse:
    row, form = _account(account_id), AccountNameForm(request.POST)
    if form.is_valid():
        name = form.cleaned_data["name"]
        done = attempt(form, lambda: trading_accounts.rename(caller(request), account_id, name), ACCOUNT_FIELDS)
        if done is not None:
            messages.success(request, _("The account is now called “%(name)s”.") % {"name": done.name})
            return redirect("trading_account", account_id)
    return _account_page(request, row, name_form=form)


@never_cache
@require_POST
@allowed(Permission.MANAGE_ACCOUNTS)
def replace_credentials(request: HouseRequest, account_id: UUID) -> HttpResponse:
    """Seal new credentials over the old ones; what was typed is not shown again, not even beside an error."""
    row = _account(account_id)
    venue = venues().get(row.venue)
    if venue is None:
        raise Http404
    form = CredentialsForm(request.POST, venue=venue)
    if form.is_valid():
        given = form.credentials()
        if attempt(form, lambda: trading_accounts.replace_credentials(caller(request), account_id, given)) is not None:
            messages.success(request, _("The new credentials are stored. The old ones are gone."))
            return redirect("trading_account", account_id)
    return _account_page(request, row, credentials_form=form)


@require_POST
@allowed(Permission.MANAGE_ACCOUNTS)
def auto_trading(request: HouseRequest, account_id: UUID) -> HttpResponse:
    is_on = request.POST.get("on") == "1"
    done = _("Auto-trading is on for this account.") if is_on else _("Auto-trading is off for this account.")
    tell(request, lambda: trading_accounts.set_auto_trading(caller(request), account_id, is_on), done)
    return redirect("trading_account", account_id)


@require_POST
@allowed(Permission.MANAGE_ACCOUNTS)
def pause(request: HouseRequest, account_id: UUID) -> HttpResponse:
    row, form = _account(account_id), PauseForm(request.POST)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        if attempt(form, lambda: trading_accounts.pause(caller(request), account_id, reason)) is not None:
            messages.success(request, _("The account is paused and auto-trading is off. Resume it whenever you like."))
            return redirect("trading_account", account_id)
    return _account_page(request, row, pause_form=form)


@require_POST
@allowed(Permission.MANAGE_ACCOUNTS)
def resume(request: HouseRequest, account_id: UUID) -> HttpResponse:
    tell(
        request,
        lambda: trading_accounts.resume(caller(request), account_id),
        _("The account is ready again. Auto-trading stays off until you switch it on."),
    )
    return redirect("trading_account", account_id)


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_ACCOUNTS)
def close(request: HouseRequest, account_id: UUID) -> HttpResponse:
    """Close an account for good, once its name was typed: its credentials are destroyed."""
    row = _account(account_id)
    label = _("Type “%(name)s” to close it") % {"name": row.name}
    form = TypedNameForm(request.POST if request.method == "POST" else None, label=label)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["typed_name"].strip() != row.name:
            form.add_error("typed_name", _("That is not the account’s name. Nothing was changed."))
        elif attempt(form, lambda: trading_accounts.close(caller(request), account_id)) is not None:
            messages.success(request, _("“%(name)s” is closed and its credentials are destroyed.") % {"name": row.name})
            return redirect("trading_accounts")
    return render(
        request, "pages/trading_account_close.html", {"account": row, "form": form}, status=422 if form.errors else 200
    )
