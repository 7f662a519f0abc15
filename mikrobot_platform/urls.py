"""Every address there is."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from mikrobot_platform import health
from risk_management.api.urls import api_urlpatterns as risk_urlpatterns
from trading.api.urls import api_urlpatterns, hooks_urlpatterns

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("hooks/", include(hooks_urlpatterns)),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include(api_urlpatterns)),
    path("api/v1/", include(risk_urlpatterns)),
    path("", include("dashboard.urls")),  # before allauth: one of its doors gets a porter (account/password/set/)
    path("account/", include("allauth.urls")),
]

handler400 = "dashboard.views.errors.bad_request"
handler403 = "dashboard.views.errors.forbidden"
handler404 = "dashboard.views.errors.not_found"
handler429 = "dashboard.views.errors.too_many"  # allauth asks for it
handler500 = "dashboard.views.errors.server_error"
