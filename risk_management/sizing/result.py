"""A size that was found, with everything that a receipt and a person ask about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, Decision, Verdict, evidence
from mikrobot_platform.kernel.market import Quantity
from mikrobot_platform.kernel.money import Money, Ratio, Rounding, minor_unit
from risk_management.sizing.caps import WORDS, Bound, taken
from risk_management.sizing.lot import Lot
from risk_management.sizing.modes import PercentOfBalance
from risk_management.sizing.request import SizingRequest

# Amounts of a result are rounded up to this: a budget and a loss alike, so that their order stays.
_FINEST = Decimal("1e-20")
_HUNDREDTH, _HUNDRED = Decimal("0.01"), Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lots:
    """How many lots one cap lets through."""

    bound: Bound
    quantity: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """So many lots, what they lose at the stop, and which cap decided. Amounts are in the account's currency."""

    quantity: Quantity
    bound: Bound
    caps: tuple[Lots, ...]  # in their order
    budget_ratio: Ratio = field(repr=False)
    lot: Lot = field(repr=False)
    request: SizingRequest = field(repr=False)

    @property
    def risk(self) -> Money:
        """Return the loss at the stop with its costs; never above `budget`."""
        return self._money(taken(self.quantity, self.lot.loss))

    @property
    def budget(self) -> Money:
        """Return the most that may be lost: the least of the mode's budget, the customer's limit and the hard cap."""
        return self._money(self.budget_ratio)

    @property
    def notional(self) -> Money:
        """Return what the position is worth."""
        return self._money(taken(self.quantity, self.lot.notional))

    @property
    def margin(self) -> Money:
        """Return what the venue holds for the position."""
        return self._money(taken(self.quantity, self.lot.margin))

    @property
    def percent(self) -> Decimal:
        """Return the risk in percent, rounded up: of the balance where the mode goes by it, else of the equity."""
        account = self.request.account
        is_by_balance = isinstance(self.request.mode, PercentOfBalance)
        whole = account.balance if is_by_balance else account.equity or account.balance
        share = taken(self.quantity, self.lot.loss).times(_HUNDRED).over(Ratio(whole.amount))
        return share.rounded(_HUNDREDTH, Rounding.UP)

    def figures(self) -> dict[str, object]:
        """List what the size was computed from and what came out, for the receipt."""
        unit = minor_unit(self.request.account.currency)
        per_lot = self.lot
        return figures_of(self.request) | {
            "quantity": self.quantity, "unit": _unit(self.request.instrument.unit, self.quantity),
            "bound": WORDS[self.bound], "binding": self.bound,
            "caps": [f"{cap.bound} {cap.quantity:f}" for cap in self.caps],
            "percent": self.percent, "budget": self.budget_ratio.rounded(unit, Rounding.UP),
            "risk": taken(self.quantity, per_lot.loss).rounded(unit, Rounding.UP),
            "notional": taken(self.quantity, per_lot.notional).rounded(unit, Rounding.UP),
            "margin": taken(self.quantity, per_lot.margin).rounded(unit, Rounding.UP),
            "loss_per_lot": per_lot.loss.rounded(unit, Rounding.UP), "distance": per_lot.distance,
            "rate_path": per_lot.rate.path, "rate_at": per_lot.rate.quoted_at,
        }  # fmt: skip

    def decision(self) -> Decision:
        """Decide with the figures: taken when the mode's wish was met, else reduced."""
        verdict = Verdict.TAKEN if self.bound.is_wish else Verdict.REDUCED
        return Decision(verdict=verdict, code=Code.SIZED, evidence=evidence(**self.figures()))

    def _money(self, amount: Ratio) -> Money:
        return Money(amount=amount.rounded(_FINEST, Rounding.UP), currency=self.request.account.currency)


def preview(sized: Sizing | Decision, *, room_left: Money | None = None) -> str:
    """Say in one line what a signal would be on an account: "0.37 lots, risk 94.10 USD (0.47 %), bound by leverage"."""
    if isinstance(sized, Decision):
        return sized.sentence
    room = "" if room_left is None else f"; room left today {room_left.rounded(Rounding.DOWN)}"
    return sized.decision().sentence.removesuffix(".") + room


def figures_of(request: SizingRequest) -> dict[str, object]:
    """List what a size is computed from, for the receipt."""
    account, costs = request.account, request.costs
    figures: dict[str, object] = {
        "mode": request.mode.words, "symbol": request.instrument.symbol, "side": request.side,
        "entry": request.entry, "stop": request.stop, "spread": costs.spread, "slippage": costs.slippage,
        "commission": None if costs.commission is None else str(costs.commission),
        "commission_rate": costs.commission_rate, "confidence": request.confidence,
        "currency": account.currency, "max_leverage": request.limits.max_leverage,
    }  # fmt: skip
    for name in ("balance", "equity", "free_margin", "open_notional"):
        known: Money | None = getattr(account, name)
        figures[name] = None if known is None else known.amount
    return figures


def _unit(plural: str, quantity: Decimal) -> str:
    return plural.removesuffix("s") if quantity == 1 and plural in ("lots", "contracts") else plural
