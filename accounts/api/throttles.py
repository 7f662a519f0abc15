"""One counter per caller: a key counts as itself, a person as themselves, everybody else by address."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.throttling import BaseThrottle

from accounts.auth import address

WINDOW_S = 60


class CallerThrottle(BaseThrottle):
    """Count requests in fixed minutes with one atomic increment (DRF's own reads and writes a list, which races)."""

    def allow_request(self, request: Any, view: Any) -> bool:
        now = time.time()
        window = int(now // WINDOW_S)
        self.seconds_left = (window + 1) * WINDOW_S - now
        key = f"throttle:{self._who(request)}:{window}"
        cache.add(key, 0, timeout=2 * WINDOW_S)
        return bool(cache.incr(key) <= settings.API_REQUESTS_PER_MINUTE)

    def wait(self) -> float:
        return self.seconds_left

    @staticmethod
    def _who(request: Any) -> str:
        if request.auth is not None:
            return f"key:{request.auth.pk}"
        if request.user.is_authenticated:
            return f"user:{request.user.pk}"
        return f"address:{address.of(request._request)}"
