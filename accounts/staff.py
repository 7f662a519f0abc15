"""The staff site: Django admin behind a second factor, under a stated, audited scope.

Three gates, in this order: staff and nobody else; a second factor used in this very session; a reason stated within the
last minutes. Only then does a page run, as the engine role inside system_scope("staff"), which reads across tenants and
writes nowhere; what staff do narrows to one organization first (accounts/services/staff.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, re_path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from accounts import access, audit
from accounts.access import Refused
from accounts.auth import address, keys
from accounts.services.reasons import LONGEST, SHORTEST, clean_reason
from accounts.tenancy import system_scope
from mikrobot_platform.db import scope as scopes

STATED = "staff_scope"  # session: what was stated, until when, by whom
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Why somebody of the staff is here, and until when that holds."""

    reason: str
    ticket: str
    until: datetime

    @property
    def text(self) -> str:
        return f"{self.reason} [{self.ticket}]" if self.ticket else self.reason

    @property
    def minutes_left(self) -> int:
        return max(1, -(-int((self.until - timezone.now()).total_seconds()) // 60))


def statement(request: HttpRequest) -> Statement | None:
    """Return what this person stated in this session, while it holds."""
    kept = request.session.get(STATED)
    if not isinstance(kept, dict) or kept.get("user") != str(request.user.pk):
        return None
    until = datetime.fromisoformat(kept["until"])
    if until <= timezone.now():
        return None
    return Statement(reason=kept["reason"], ticket=kept["ticket"], until=until)


def actor(request: HttpRequest, reason: str) -> audit.Actor:
    return audit.Actor(kind="staff", id=str(request.user.pk), address=address.of(request), reason=reason)


def used_second_factor(request: HttpRequest) -> bool:
    """Tell whether this session was opened or confirmed with a factor that the person still has."""
    used = [
        record.get("id") for record in get_authentication_records(request, request.user) if record["method"] == "mfa"
    ]
    return bool(used) and Authenticator.objects.filter(user_id=request.user.pk, pk__in=used).exists()


class ReasonField(forms.CharField):
    """Asks why; whatever says nothing to a reader is refused beside the field."""

    def __init__(self, **more: Any) -> None:
        super().__init__(min_length=SHORTEST, max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3}), **more)

    def clean(self, value: Any) -> str:
        try:
            return clean_reason(super().clean(value))
        except Refused as refusal:
            raise forms.ValidationError(refusal.sentence) from None


class StatementForm(forms.Form):
    """Asks why. Customers read the answer in their own audit trail."""

    reason = ReasonField(
        label=_("Why are you here?"),
        help_text=_(
            "10 to 300 characters. It stands in the audit trail of every customer whose record you open, and they can"
            " read it: say nothing about one customer that another should not know."
        ),
    )
    ticket = forms.CharField(
        label=_("Ticket"), max_length=40, required=False, help_text=_("The number of the request, if there is one.")
    )


class StaffSite(admin.AdminSite):
    """Admin of which every page is gated, every address listed here, and nothing shown but what was written for it."""

    site_title = "MikroBot staff"
    site_header = "MikroBot staff"
    index_title = _("Find a customer")
    index_template = "admin/find.html"
    enable_nav_sidebar = False
    empty_value_display = "—"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take classes made for these pages: what libraries register shows TOTP seeds, session keys, edit forms."""
        if getattr(admin_class, "is_for_staff", False):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Tell whether this is staff with a second factor; asked many times on a page, looked up once."""
        kept = request.__dict__
        if "is_at_staff_desk" not in kept:
            kept["is_at_staff_desk"] = (
                request.user.is_active
                and bool(getattr(request.user, "is_staff", False))
                and keys.presented(request) is None
                and used_second_factor(request)
            )
        return bool(kept["is_at_staff_desk"])

    def gate(self, request: HttpRequest) -> HttpResponse | None:
        """Return the answer for somebody who may not pass, None for somebody who may."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not getattr(request.user, "is_staff", False) or keys.presented(request) is not None:
            raise Http404("There is no such page.")
        if self.has_permission(request):
            return None
        types = set(Authenticator.objects.filter(user_id=request.user.pk).values_list("type", flat=True))
        context = {
            "title": _("Confirm your second factor"),
            "site_title": self.site_title,
            "site_header": self.site_header,
            "has_code": Authenticator.Type.TOTP in types,
            "has_passkey": Authenticator.Type.WEBAUTHN in types,
            "next": request.get_full_path() if request.method == "GET" else reverse("admin:index"),
        }
        return render(request, "admin/second_factor.html", context, status=403)

    def gated(self, view: View) -> View:
        """Let nobody reach the view but staff who used their second factor; nothing of it is cached."""

        @access.personal  # a member of staff may be a mere viewer of some organization; that is not what counts here
        @csrf_protect
        @never_cache
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return self.gate(request) or view(request, *args, **kwargs)

        return inner

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Run the view, and the rendering that follows it, inside the stated scope; ask for the statement first."""

        def scoped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            stated = statement(request)
            if stated is None:
                return self._ask(request)
            with audit.acting_as(actor(request, stated.text)), system_scope("staff"):
                response: HttpResponse = view(request, *args, **kwargs)
                if isinstance(response, TemplateResponse):
                    response.render()
                if response.status_code >= 500:
                    transaction.set_rollback(True, using=scopes.ENGINE)
            return response

        return self.gated(wraps(view)(scoped))

    @staticmethod
    def _ask(request: HttpRequest) -> HttpResponse:
        if request.method != "GET":
            messages.warning(request, _("Your stated scope had ended. Nothing was done; state it again."))
        return redirect_to_login(request.get_full_path(), reverse("admin:scope"))

    def get_urls(self) -> list[Any]:
        """List every address; the stock ones for passwords, shortcuts and autocompletion are not among them."""
        patterns: list[URLPattern | URLResolver] = [
            path("", self.admin_view(self.index), name="index"),
            path("login/", self.login, name="login"),
            path("logout/", self.logout, name="logout"),
            path("scope/", self.gated(self.state_scope), name="scope"),
            path("scope/end/", self.gated(self.end_scope), name="scope_end"),
        ]
        for model, model_admin in self._registry.items():
            patterns.append(path(f"{model._meta.app_label}/{model._meta.model_name}/", include(model_admin.urls)))
        labels = "|".join(sorted({model._meta.app_label for model in self._registry}))
        patterns.append(re_path(rf"^(?P<app_label>{labels})/$", self.admin_view(self.to_index), name="app_list"))
        patterns.append(re_path(r"^.*$", self.gated(self.nothing_here)))
        return patterns

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "stated": statement(request)}

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return nothing: the first page names the lists, and there is no side bar."""
        return []

    def get_log_entries(self, request: HttpRequest) -> Any:
        """Return none: what staff did stands in the audit trail, not in Django's editable log."""
        return super().get_log_entries(request).none()

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseRedirect:
        """Send people to the one door there is; a second one for passwords would lead around the second factor."""
        return redirect_to_login(reverse("admin:index"))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_logout")

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Find a customer by e-mail address, name or id."""
        term = request.GET.get("q", "").replace("\x00", "").strip()
        found = [model_admin.find(term) for model_admin in self._registry.values() if hasattr(model_admin, "find")]
        context = {
            **self.each_context(request),
            "title": self.index_title,
            "term": term,
            "found": found if term else [],
            "lists": self._lists(),
        }
        request.current_app = self.name
        return TemplateResponse(request, "admin/find.html", context)

    def _lists(self) -> list[dict[str, str]]:
        """Name the lists that are not of one organization; the others are reached from its page."""
        registry: dict[Any, Any] = self._registry
        return [
            {
                "text": model_admin.list_title,
                "url": reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"),
            }
            for model, model_admin in registry.items()
            if not model_admin.is_of_organization
        ]

    def to_index(self, request: HttpRequest, app_label: str) -> HttpResponse:
        return redirect("admin:index")

    def nothing_here(self, request: HttpRequest) -> HttpResponse:
        raise Http404("There is no such page.")

    def state_scope(self, request: HttpRequest) -> HttpResponse:
        """Ask for the reason; write it into the platform's chain and keep it for settings.STAFF_SCOPE_AGE."""
        form = StatementForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            until = timezone.now() + settings.STAFF_SCOPE_AGE
            said = Statement(reason=form.cleaned_data["reason"], ticket=form.cleaned_data["ticket"], until=until)
            with audit.acting_as(actor(request, said.text)), system_scope("staff"):
                audit.record_platform("staff.scope_stated", f"user:{request.user.pk}", until=until.isoformat())
            request.session[STATED] = {
                "reason": said.reason,
                "ticket": said.ticket,
                "until": until.isoformat(),
                "user": str(request.user.pk),
            }
            return HttpResponseRedirect(self._after(request))
        context = {
            **self.each_context(request),
            "title": _("State your scope"),
            "form": form,
            "next": self._after(request),
            "minutes": int(settings.STAFF_SCOPE_AGE.total_seconds() // 60),
        }
        return render(request, "admin/scope.html", context)

    @staticmethod
    def _after(request: HttpRequest) -> str:
        """Return where to go on: a page of this site, never one elsewhere."""
        wanted = request.POST.get("next") or request.GET.get("next") or ""
        home = reverse("admin:index")
        is_ours = wanted.startswith(home) and url_has_allowed_host_and_scheme(wanted, {request.get_host()})
        return wanted if is_ours else home

    @method_decorator(require_POST)
    def end_scope(self, request: HttpRequest) -> HttpResponse:
        """Give the scope up before its time."""
        stated = statement(request)
        request.session.pop(STATED, None)
        if stated is not None:
            with audit.acting_as(actor(request, stated.text)), system_scope("staff"):
                audit.record_platform("staff.scope_ended", f"user:{request.user.pk}")
        messages.info(request, _("Your scope has ended."))
        return redirect("admin:scope")
