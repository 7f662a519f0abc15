"""Text that is written quickly is the text that Python's own, slower ways write."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrobot_platform.kernel.written import decimal_text, moment_text, object_writer

ZONES = st.sampled_from([UTC, timezone(timedelta(0)), timezone(timedelta(hours=5, minutes=30)), None])


@given(st.datetimes(timezones=ZONES))
def test_a_moment_is_written_as_isoformat_does(moment: datetime) -> None:
    assert moment_text(moment) == f'"{moment.isoformat()}"'


@given(st.tuples(st.decimals(), st.text(), st.booleans(), st.integers(), st.none(), st.decimals()))
def test_an_object_is_written_as_json_does(values: tuple[Decimal, str, bool, int, None, Decimal]) -> None:
    names = ("beta", "alpha", "is_open", "count", "nothing", "alpha_beta")
    fill = object_writer(names, tuple(map(type, values)), lambda at, kind: pytest.fail(f"{kind} is written itself"))
    plain = {name: format(v, "f") if isinstance(v, Decimal) else v for name, v in zip(names, values, strict=True)}
    assert fill(values) == json.dumps(plain, sort_keys=True, separators=(",", ":"))


def test_what_has_a_writer_of_its_own_is_written_by_it() -> None:
    fill = object_writer(
        ("at", "kind"), (tuple, int), lambda _at, _kind: lambda value: f"[{len(value)}]", more='"is":"It"'
    )
    assert fill(((1, 2), 3)) == '{"at":[2],"is":"It","kind":3}'
    assert object_writer((), (), lambda _at, _kind: str)(()) == "{}"


@pytest.mark.parametrize("name", ['a"', "{x}", "a b", "", "print(1)"])
def test_a_name_that_is_no_identifier_never_becomes_code(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        object_writer((name,), (int,), lambda _at, _kind: str)


def test_a_figure_has_no_exponent() -> None:
    assert [decimal_text(Decimal(text)) for text in ("1E+3", "1E-9", "0.10")] == ['"1000"', '"0.000000001"', '"0.10"']
