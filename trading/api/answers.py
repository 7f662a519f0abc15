"""What a door answers: one table from codes to HTTP, one shape for every refusal."""

from __future__ import annotations

from collections.abc import Mapping

from mikrobot_platform.kernel.decisions import NOTICES, Code, Refusal
from trading.models import RawState
from trading.pipeline import Outcome

STATUS: Mapping[str, int] = {
    Code.SIGNATURE_MISSING: 401,
    Code.SIGNATURE_WRONG: 401,
    Code.CLOCK_OUTSIDE_WINDOW: 401,
    Code.SOURCE_OFF: 403,
    Code.NETWORK: 403,
    Code.SOURCE_UNKNOWN: 404,
    Code.NONCE_USED: 409,
    Code.TOO_LARGE: 413,
    Code.TOO_MANY: 429,
}
READ_AND_REFUSED = 422


def is_accepted(found: Outcome | Refusal) -> bool:
    """Tell whether a message was taken: it is stored, and nothing in it has to be mended and sent again."""
    return isinstance(found, Outcome) and (found.state is not RawState.REFUSED or found.code in NOTICES)


def status_of(found: Outcome | Refusal) -> int:
    return 200 if is_accepted(found) else STATUS.get(found.code, READ_AND_REFUSED)


def said(found: Outcome | Refusal) -> dict[str, object]:
    """Say what became of a message."""
    if not is_accepted(found):
        return {"accepted": False, "code": str(found.code), "sentence": found.sentence}
    assert isinstance(found, Outcome)
    answer: dict[str, object] = {"accepted": True, "duplicate": found.state is RawState.DUPLICATE}
    if found.signal_id:
        answer["signal"] = str(found.signal_id)
    if found.code and found.state is not RawState.DUPLICATE:
        answer |= {"code": found.code, "sentence": found.sentence}
    return answer


def headers_of(found: Outcome | Refusal) -> dict[str, str]:
    if isinstance(found, Refusal) and found.code is Code.TOO_MANY:
        return {"Retry-After": str(found.evidence["retry_after_s"])}
    return {}
