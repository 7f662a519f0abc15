"""Addresses of this room: hooks, and what stands under /api/v1/."""

from django.urls import path

from trading.api import emergency, hooks, signals, trades

hooks_urlpatterns = [
    path("ea/<uuid:source_id>/", hooks.expert_advisor, name="hook-ea"),
    path("tv/<str:secret>/", hooks.tradingview, name="hook-tv"),
]
api_urlpatterns = [
    path("signals/", signals.SignalsView.as_view(), name="api-signals"),
    path("emergency-stop/", emergency.EmergencyStopView.as_view(), name="api-emergency-stop"),
    path("emergency-stop/<uuid:switch_id>/", emergency.LiftView.as_view(), name="api-emergency-stop-lift"),
    path("orders/", trades.OrdersView.as_view(), name="api-orders"),
    path("positions/", trades.PositionsView.as_view(), name="api-positions"),
    path("signals/<uuid:signal_id>/", signals.SignalView.as_view(), name="api-signal"),
]
