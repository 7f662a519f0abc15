"""Addresses under /api/v1/."""

from django.urls import path

from accounts.api import views

urlpatterns = [
    path("organization/", views.OrganizationView.as_view(), name="api-organization"),
    path("members/", views.MembersView.as_view(), name="api-members"),
    path("accounts/", views.TradingAccountsView.as_view(), name="api-accounts"),
    path("accounts/<uuid:account_id>/", views.TradingAccountView.as_view(), name="api-account"),
    path("audit/", views.AuditView.as_view(), name="api-audit"),
]
