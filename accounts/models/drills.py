"""What a rehearsed failure leaves to be counted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.models.base import TenantRow


class DrillEffect(TenantRow):
    """The effect of one drill event: nothing keeps a second one out, so that a second one would be seen."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    event_id = models.BigIntegerField()
    publisher = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField()  # the publisher's own count
    pid = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization_id", "id"], name="accounts_drilleffect_order"),
        ]
