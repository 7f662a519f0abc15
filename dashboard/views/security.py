"""How a person signs in, and who has been at their door."""

from __future__ import annotations

from allauth.account import views as allauth_views
from allauth.account.adapter import get_adapter
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import personal
from accounts.auth import history
from accounts.models import SignIn, User
from accounts.requests import HouseRequest
from accounts.services import people
from dashboard.views.doors import confirmed_lately, is_confirmed, person, signed_in, tell

SIGN_INS_SHOWN = 20


@require_safe
@signed_in
def security(request: HouseRequest) -> HttpResponse:
    """Show every way in, the sessions that are open, and the last attempts."""
    user = person(request)
    factors = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((one for one in factors if one.type == Authenticator.Type.RECOVERY_CODES), None)
    passkeys = [one for one in factors if one.type == Authenticator.Type.WEBAUTHN]
    return render(
        request,
        "pages/security.html",
        {
            "passkeys": passkeys,
            "can_sign_in_alone": any(one.wrap().is_passwordless is not False for one in passkeys),
            "totp": next((one for one in factors if one.type == Authenticator.Type.TOTP), None),
            "recovery_codes": codes,
            "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
            "has_password": user.has_usable_password(),
            "sessions": list(UserSession.objects.filter(user=user).order_by("-last_seen_at")[:10]),
            "current_session": request.session.session_key,
            "sign_ins": list(SignIn.objects.filter(user=user).order_by("-at")[:SIGN_INS_SHOWN]),
        },
    )


@personal
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def set_password(request: HouseRequest) -> HttpResponseBase:
    """Set a first password after a proof, which allauth does not ask for: a password is one more way in, for ever."""
    if not is_confirmed(request):
        if request.method == "POST":  # what was typed must not wait in the session until the proof is given
            messages.info(request, _("Confirm that it is you, then type the password again. Nothing was changed."))
            return redirect("account_set_password")
        raise ReauthenticationRequired
    answer: HttpResponseBase = allauth_views.password_set(request)
    return answer


@personal
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@confirmed_lately
def remove_password(request: HouseRequest) -> HttpResponse:
    """Make passkeys the only way in."""
    user = person(request)
    if request.method == "POST":
        done = _("The password is gone. You sign in with a passkey now.")
        if tell(request, lambda: _remove_password(request, user), done):
            update_session_auth_hash(request, user)  # this session stays, under a new key
            history.end_other_sessions(request, user)
        return redirect("security")
    if not user.has_usable_password():
        messages.info(request, _("There is no password to remove."))
        return redirect("security")
    return render(request, "pages/password_remove.html", {"passkey_count": people.passkeys(user)})


def _remove_password(request: HouseRequest, user: User) -> None:
    """Remove it, write it down, tell the person: like every change to how somebody gets in."""
    people.remove_password(user)
    history.note_in_trails(user, "person.password_removed")
    get_adapter(request).send_notification_mail("account/email/password_removed", user)
