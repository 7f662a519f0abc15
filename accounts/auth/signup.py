"""The sign-up form as a whole; what we ask beyond address and password stands in forms.py, which allauth mixes in."""

from __future__ import annotations

from typing import Any

from allauth.account import forms
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest


class SignupForm(forms.SignupForm):  # type: ignore[misc]
    """Answers a known address no sooner than a new one: hashing a password is by far the slowest part."""

    def try_save(self, request: HttpRequest) -> tuple[Any, Any]:
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        saved: tuple[Any, Any] = super().try_save(request)
        return saved
