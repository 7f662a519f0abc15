"""The list of rules as it stands for accounts that have set the same: what is settled, and what is still asked.

Whatever is settled is written once. A rule that is settled as a denial ends the list: what stands after it is not
asked, and what stands before it still is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from risk_management.rules.case import Case
from risk_management.rules.ruling import Advise, Deny, Reduce, Ruling, written

Judge = Callable[[Case], Ruling]


class Plan:
    """Who is asked, in order, and what stands between the answers in a receipt."""

    def __init__(self, names: tuple[str, ...], steps: Iterable[Judge | Ruling]) -> None:
        self.names = names
        self.judges: list[Judge] = []
        self.ending: Deny | None = None
        self.advice: Advise | None = None
        self._places: list[int] = []  # of those that are asked
        self._settled: list[Ruling | None] = []
        self._between: list[str] = []  # texts before each answer
        text, comma = "", ""
        for place, step in enumerate(steps):
            text += f'{comma}["{names[place]}",'
            comma = ","
            if callable(step):
                self.judges.append(step)
                self._places.append(place)
                self._settled.append(None)
                self._between.append(text)
                text = ""
                continue
            assert not isinstance(step, Reduce), "what makes a quantity smaller looks at it"
            self._settled.append(step)
            text += step.text or written(step)
            if isinstance(step, Deny):
                self.ending = step
                break
            if isinstance(step, Advise):
                self.advice = step
        self._after = text

    def not_asked(self, answers: int) -> int:
        """Return how many rules stand after the last of so many answers, which ended it."""
        return len(self.names) - 1 - self._places[answers - 1]

    @property
    def not_asked_at_end(self) -> int:
        """Return how many rules stand after the one that is settled as a denial; 0 when there is none."""
        return len(self.names) - len(self._settled)

    def rulings(self, answers: list[Ruling], asked: int) -> list[Ruling]:
        """Return what each of the first so many rules said."""
        given: Iterator[Ruling] = iter(answers)
        return [next(given) if settled is None else settled for settled in self._settled[:asked]]

    def text(self, answers: list[str], asked: int) -> str:
        """Write what each of the first so many rules said, given the texts of the answers."""
        text = "".join(chain.from_iterable(zip(self._between, answers, strict=False)))
        return text + self._after if asked == len(self._settled) else text
