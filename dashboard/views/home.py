"""The overview: what is set up, what is next. It never shows what is not there."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.auth.forms import INVITATION
from accounts.models import AccountStatus, ApiKey, AuditEntry, Membership, TradingAccount
from accounts.requests import HouseRequest
from accounts.services import members
from dashboard.queries.trail import with_names
from dashboard.views.doors import person, signed_in


@require_safe
@signed_in
def home(request: HouseRequest) -> HttpResponse:
    """Show the organization's real state, or, without one, the ways to get one."""
    token = str(request.session.get(INVITATION, ""))
    if token:
        if members.read_link(token) is not None:
            return redirect(reverse("invitation", args=[token]))
        del request.session[INVITATION]
    user = person(request)
    if request.caller is None:
        return render(request, "pages/no_organization.html")
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    accounts: list[TradingAccount] = list(
        TradingAccount.objects.exclude(status=AccountStatus.CLOSED).order_by("created_at")
    )
    recent = with_names(AuditEntry.objects.order_by("-sequence")[:6])
    return render(
        request,
        "pages/home.html",
        {
            "has_second_factor": bool(kinds & {Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN}),
            "has_recovery_codes": Authenticator.Type.RECOVERY_CODES in kinds,
            "accounts": accounts,
            "member_count": Membership.objects.count(),
            "key_count": ApiKey.objects.filter(revoked_at=None).count(),
            "recent": recent,
        },
    )
