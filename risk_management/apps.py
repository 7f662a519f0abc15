from django.apps import AppConfig


class RiskManagementConfig(AppConfig):
    name = "risk_management"
