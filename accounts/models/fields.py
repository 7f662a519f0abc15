"""The column type for secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    TextField = models.TextField[str | None, str | None]
else:
    TextField = models.TextField


class SealedField(TextField):
    """Hold what accounts/vault.py sealed: never searched, never shown, found by key rotation through this type."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"null": True, "blank": True, "editable": False}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        for key in ("null", "blank", "editable"):
            kwargs.pop(key, None)
        # History needs the column alone, so migrations stay free of application code.
        return name, "django.db.models.TextField", args, {**kwargs, "null": True, "blank": True, "editable": False}
