"""Organizations: the tenant, its members, its invitations, what its members have acknowledged."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import TenantManager, TenantModel
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.scope import NoTenant


class Role(models.TextChoices):
    """What a member may do; the matrix stands in accounts/access.py."""

    OWNER = "owner", _("Owner")
    TRADER = "trader", _("Trader")
    VIEWER = "viewer", _("Viewer")


class OrganizationManager(models.Manager["Organization"]):
    """See the own organization, or those one belongs to."""

    def get_queryset(self) -> models.QuerySet[Organization]:
        scope = scopes.current()
        if scope.organization_id is not None:
            return super().get_queryset().filter(pk=scope.organization_id)
        if scope.system is not None or scope.user_id is not None:
            return super().get_queryset()  # row-level security leaves the person's own
        raise NoTenant("organizations were asked for without a scope")


class Organization(models.Model):
    """The tenant: one customer, alone or a team."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(_("name"), max_length=120)
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspended_reason = models.CharField(max_length=300, blank=True)
    closing_at = models.DateTimeField(null=True, blank=True)  # when it will be erased; None: not asked for
    # By whose midnight days turn, for limits and quota: not the reader's zone, which anybody may change at any time.
    trading_zone = models.CharField(max_length=64, default="UTC", db_default="UTC")
    next_zone = models.CharField(max_length=64, blank=True, default="", db_default="")
    next_zone_from = models.DateTimeField(null=True, blank=True)
    # Row-level security lets an index serve only comparisons that cannot leak: a range over this, never LIKE.
    search_name = models.GeneratedField(
        expression=Lower("name"),
        output_field=models.CharField(max_length=120, db_collation="C"),
        db_persist=True,
        editable=False,
    )

    objects: ClassVar[OrganizationManager] = OrganizationManager()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["search_name"], name="accounts_organization_search"),
            # Few rows have these, and staff and the sweep look for exactly those.
            models.Index(
                fields=["suspended_at"],
                condition=models.Q(suspended_at__isnull=False),
                name="accounts_organization_suspend",
            ),
            models.Index(
                fields=["closing_at"],
                condition=models.Q(closing_at__isnull=False),
                name="accounts_organization_closing",
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~models.Q(id="00000000-0000-0000-0000-000000000000"),
                name="accounts_organization_not_platform",
            ),
            models.CheckConstraint(
                condition=models.Q(next_zone="", next_zone_from__isnull=True)
                | (~models.Q(next_zone="") & models.Q(next_zone_from__isnull=False)),
                name="accounts_organization_next_zone",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def zone_at(self, at: datetime) -> str:
        """Return the zone by whose midnight the organization's days turn at a moment."""
        return self.next_zone if self.next_zone_from is not None and at >= self.next_zone_from else self.trading_zone

    @property
    def is_closing(self) -> bool:
        return self.closing_at is not None

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None


class MembershipManager(TenantManager):
    """See the organization's members, or, before one is chosen, a person's own memberships."""

    def get_queryset(self) -> models.QuerySet[Any]:
        scope = scopes.current()
        if scope.organization_id is None and scope.system is None and scope.user_id is not None:
            return models.Manager.get_queryset(self).filter(user_id=scope.user_id)
        return super().get_queryset()


class Membership(TenantModel):
    """A person in an organization."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=8, choices=Role.choices)
    joined_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[MembershipManager] = MembershipManager()

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "user"], name="accounts_membership_once"),
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(role=Role.OWNER), name="accounts_membership_one_owner"
            ),
        ]


class Invitation(TenantModel):
    """A seat offered by e-mail. The link carries a signature over id and nonce; nothing in this row opens it."""

    email = models.EmailField(_("e-mail address"))
    role = models.CharField(
        _("role"), max_length=8, choices=[choice for choice in Role.choices if choice[0] != Role.OWNER]
    )
    nonce = models.PositiveIntegerField(default=0)  # sending again makes the older link worthless
    invited_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+", db_constraint=False
    )  # held by a composite key (migration 0001), so that it cannot point across tenants
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                condition=models.Q(accepted_at=None, withdrawn_at=None),
                name="accounts_invitation_one_open",
            ),
        ]

    def is_open(self) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None and self.expires_at > timezone.now()


class Acknowledgement(TenantModel):
    """Who accepted which version of the terms or the risk warning, when and from where."""

    class Document(models.TextChoices):
        """What was accepted."""

        TERMS = "terms", _("Terms of service")
        RISK = "risk", _("Risk warning")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    document = models.CharField(max_length=8, choices=Document.choices)
    version = models.CharField(max_length=20)
    at = models.DateTimeField(default=timezone.now)
    address = models.GenericIPAddressField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization", "user", "document", "version"], name="accounts_acknowledgement_once"
            ),
        ]
