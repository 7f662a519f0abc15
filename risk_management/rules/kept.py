"""An attribute that is worked out at its first use. `functools.cached_property` takes a lock each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

T = TypeVar("T")


class kept(Generic[T]):  # noqa: N801 - used like property
    """Used like `property`; what was worked out is found among the owner's attributes from then on."""

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work, self._name, self.__doc__ = work, work.__name__, work.__doc__

    def __get__(self, owner: object, _kind: type | None = None) -> T:
        found = self._work(owner)
        setattr(owner, self._name, found)
        return found

    if TYPE_CHECKING:

        def __set__(self, owner: object, value: T) -> None:
            """Let whoever knows it already set it. There is no such method: its presence would cost each look-up."""
