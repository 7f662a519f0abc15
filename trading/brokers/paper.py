"""The paper venue: any kind of account rehearsed without money."""

from __future__ import annotations

from mikrobot_platform.kernel.venues import AccountKind, CredentialField, VenueInfo

VENUE = VenueInfo(
    code="paper",
    title="Paper",
    is_paper=True,
    kinds=(AccountKind.DEMO, AccountKind.PROP, AccountKind.LIVE),
    currencies=("USD", "EUR", "GBP", "CHF", "JPY", "AUD", "CAD"),
    credentials=(
        CredentialField(
            name="access_token",
            label="Access token",
            help="Asked for when a session with the paper venue is opened. Leave empty to have one made.",
            is_required=False,
            is_made_when_empty=True,
        ),
    ),
)
