"""Addresses of this room: hooks, and what stands under /api/v1/."""

from django.urls import path

from trading.api import hooks, signals

hooks_urlpatterns = [
    path("ea/<uuid:source_id>/", hooks.expert_advisor, name="hook-ea"),
    path("tv/<str:secret>/", hooks.tradingview, name="hook-tv"),
]
api_urlpatterns = [
    path("signals/", signals.SignalsView.as_view(), name="api-signals"),
    path("signals/<uuid:signal_id>/", signals.SignalView.as_view(), name="api-signal"),
]
