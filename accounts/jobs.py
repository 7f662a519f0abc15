"""Bases for tasks. A tenant task carries its organization in the message header and refuses to run without one."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from celery import Task

from accounts.tenancy import NoTenant, atomic, tenant_scope
from mikrobot_platform import metrics
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.kernel import trace

ORGANIZATION_HEADER, TRACE_HEADER = "mikrobot_organization", "mikrobot_trace"


class HouseTask(Task):  # type: ignore[type-arg]  # generic for the type checker only
    """Carry the trace id along; count and time the run. For work without a tenant: it enters a system scope by name."""

    abstract = True

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        headers = {TRACE_HEADER: trace.trace_id.get(), **self.house_headers(), **(options.pop("headers", None) or {})}
        return super().apply_async(args, kwargs, headers=headers, **options)

    def house_headers(self) -> dict[str, str]:
        return {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace.start(self.header(TRACE_HEADER))
        began, outcome = time.perf_counter(), "error"
        try:
            result = self.work(*args, **kwargs)
            outcome = "done"
        finally:
            metrics.TASKS.labels(self.name, outcome).inc()
            metrics.TASK_SECONDS.labels(self.name).observe(time.perf_counter() - began)
        return result

    def work(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)

    def header(self, name: str) -> str:
        """Read one of our headers; Celery puts them beside its own on the request."""
        request = self.request
        value = request.get(name) or (request.get("headers") or {}).get(name)
        return str(value or "")


class TenantTask(HouseTask):
    """Run in the organization that was in scope when the task was queued, in one transaction."""

    abstract = True

    def house_headers(self) -> dict[str, str]:
        organization_id = scopes.current().organization_id
        if organization_id is None:
            raise NoTenant(f"{self.name} was queued without a tenant scope")
        return {ORGANIZATION_HEADER: str(organization_id)}

    def work(self, *args: Any, **kwargs: Any) -> Any:
        try:
            organization_id = UUID(self.header(ORGANIZATION_HEADER))
        except ValueError:
            raise NoTenant(f"{self.name} arrived without an organization") from None
        with tenant_scope(organization_id), atomic():
            return self.run(*args, **kwargs)
