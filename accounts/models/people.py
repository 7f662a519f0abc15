"""People. A person is one for the whole platform; what they may see depends on their memberships."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mikrobot_platform.db.ids import new_id


class UserManager(BaseUserManager["User"]):
    """Make people; the e-mail address is stored in lower case, so it is one person however it is typed."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


def known_time_zone(value: str) -> None:
    """Refuse a name that the time zone database does not have."""
    if value not in available_timezones():
        raise ValidationError(_("“%(value)s” is not a known time zone."), params={"value": value})


class Experience(models.TextChoices):
    """How long someone has traded; the pages explain more to those who are new."""

    NEW = "new", _("New to trading")
    SOME = "some", _("One to three years")
    SEASONED = "seasoned", _("More than three years")
    PROFESSIONAL = "professional", _("Professional")


class Currency(models.TextChoices):
    """The currencies in which accounts are kept and totals are shown."""

    USD = "USD", "USD"
    EUR = "EUR", "EUR"
    GBP = "GBP", "GBP"
    CHF = "CHF", "CHF"
    JPY = "JPY", "JPY"
    AUD = "AUD", "AUD"
    CAD = "CAD", "CAD"


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    language = models.CharField(_("language"), max_length=8, default="en")
    currency = models.CharField(
        _("account currency"),
        max_length=3,
        choices=Currency.choices,
        default=Currency.USD,
        help_text=_("Totals over several accounts are shown in it."),
    )
    experience = models.CharField(_("trading experience"), max_length=16, choices=Experience.choices, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            GinIndex(
                SearchVector("name", config="simple"), name="accounts_user_words"
            ),  # staff search by any word of it
            models.Index(fields=["id"], condition=models.Q(is_staff=True), name="accounts_user_staff"),
            models.Index(fields=["id"], condition=models.Q(is_active=False), name="accounts_user_disabled"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_any_case"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]


class SignIn(models.Model):
    """One attempt to get in: kept so that a person can see who has been at their door."""

    class Outcome(models.TextChoices):
        """How the attempt ended."""

        SUCCESS = "success", _("Signed in")
        FAILED = "failed", _("Wrong password or code")
        LOCKED = "locked", _("Too many attempts")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    method = models.CharField(max_length=40, blank=True)  # password, password + code, passkey
    address = models.GenericIPAddressField(null=True)
    client = models.CharField(max_length=300, blank=True)
    device = models.BinaryField(max_length=32, null=True)  # SHA-256 of the device cookie

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["user", "-at"], name="accounts_signin_user_at")]
