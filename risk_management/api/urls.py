"""Addresses of this room under /api/v1/."""

from django.urls import path

from risk_management.api import receipts

api_urlpatterns = [
    path("receipts/", receipts.ReceiptsView.as_view(), name="api-receipts"),
    path("receipts/chain/", receipts.ChainView.as_view(), name="api-receipts-chain"),
    path("receipts/verifier/", receipts.VerifierView.as_view(), name="api-receipts-verifier"),
    path("receipts/<uuid:receipt_id>/", receipts.ReceiptView.as_view(), name="api-receipt"),
]
