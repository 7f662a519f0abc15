"""Forms about trading accounts. Credential fields come from the venue's card and never show what was stored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Acknowledgement, TradingAccount
from accounts.models.trading_accounts import Phase
from accounts.services.trading_accounts import MAX_CREDENTIAL_LENGTH, AccountDraft
from mikrobot_platform.kernel.venues import AccountKind, VenueInfo

_KINDS = dict(TradingAccount.Kind.choices)


class CredentialsForm(forms.Form):
    """What a venue asks for to open a session."""

    PREFIX = "credential_"

    def __init__(self, *args: Any, venue: VenueInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.venue = venue
        for one in venue.credentials:
            self.fields[self.PREFIX + one.name] = forms.CharField(
                label=one.label,
                help_text=one.help,
                required=False,
                max_length=MAX_CREDENTIAL_LENGTH,
                strip=True,
                # new-password: the one value that keeps password managers from filling in the sign-in password
                widget=forms.PasswordInput({"autocomplete": "new-password", "spellcheck": "false"}),
            )

    def credentials(self) -> dict[str, str]:
        return {one.name: self.cleaned_data.get(self.PREFIX + one.name, "") for one in self.venue.credentials}

    def credential_fields(self) -> list[forms.BoundField]:
        return [self[self.PREFIX + one.name] for one in self.venue.credentials]


class AccountForm(CredentialsForm):
    """A new account: what it is, at whose rules, with which credentials."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("As you call it, such as “FTMO 100k”."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(label=_("Kind"), widget=forms.RadioSelect)
    currency = forms.ChoiceField(label=_("Currency"))
    firm = forms.CharField(label=_("Firm"), max_length=60, required=False)
    program = forms.CharField(label=_("Program"), max_length=80, required=False)
    phase = forms.ChoiceField(label=_("Phase"), choices=[("", "—"), *Phase.choices], required=False)
    size = forms.DecimalField(
        label=_("Account size"),
        max_digits=20,
        decimal_places=2,
        min_value=Decimal("0.01"),
        required=False,
        widget=forms.NumberInput({"inputmode": "decimal", "step": "any"}),
        help_text=_("In the account’s currency, as the firm names it."),
    )
    accept_risk = forms.BooleanField(label=_("I have read the risk warning and accept it"), required=False)
    accept_terms = forms.BooleanField(label=_("I have read the terms and accept them"), required=False)

    def __init__(self, *args: Any, missing: set[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind.value, _KINDS[kind.value]) for kind in self.venue.kinds]  # type: ignore[attr-defined]
        self.fields["currency"].choices = [(code, code) for code in self.venue.currencies]  # type: ignore[attr-defined]
        self.missing = missing
        for document in set(Acknowledgement.Document.values) - missing:
            del self.fields[f"accept_{document}"]

    def clean(self) -> dict[str, Any]:
        """Ask for what a prop account needs, and for both documents before anything but a demo."""
        data = super().clean() or {}
        if data.get("kind") == AccountKind.PROP:
            for name in ("firm", "program", "phase", "size"):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, _("A prop account needs this."))
        if data.get("kind") in {AccountKind.LIVE, AccountKind.PROP}:
            for document in sorted(self.missing):
                if not data.get(f"accept_{document}"):
                    self.add_error(f"accept_{document}", _("Needed before a live or prop account is connected."))
        return data

    def stake_fields(self) -> list[forms.BoundField]:
        return [self[f"accept_{document}"] for document in ("risk", "terms") if document in self.missing]

    def accepted(self) -> list[str]:
        return [document for document in sorted(self.missing) if self.cleaned_data.get(f"accept_{document}")]

    def draft(self) -> AccountDraft:
        data = self.cleaned_data
        is_prop = data["kind"] == AccountKind.PROP
        return AccountDraft(
            name=data["name"],
            venue=self.venue.code,
            kind=data["kind"],
            currency=data["currency"],
            firm=data["firm"] if is_prop else "",
            program=data["program"] if is_prop else "",
            phase=data["phase"] if is_prop else "",
            size=data["size"] if is_prop else None,
            credentials=self.credentials(),
        )


class AccountNameForm(forms.Form):
    """A new name for an account."""

    name = forms.CharField(label=_("Name"), max_length=80, widget=forms.TextInput({"autocomplete": "off"}))


class PauseForm(forms.Form):
    """Why an account is paused."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        required=False,
        help_text=_("Your team sees it beside the account."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
