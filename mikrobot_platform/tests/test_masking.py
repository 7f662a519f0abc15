"""Messages are shown as they came, without what opens a door."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mikrobot_platform.kernel.masking import masked, opens_something

PLANTED = "hunter2x7"
BODIES = [
    '{"symbol": "EURUSD", "secret": "hunter2x7"}',
    '{"symbol":"EURUSD","Secret" : "hunter2x7"}',
    '{"s\\u0065cret":"hunter2x7"}',
    '{"\\u0053ECRET":"hunter\\u0032x7"}',
    '{"passphrase":"hunter2x7","a":1}',
    '{"webhook_token":"hunter2x7"}',
    '{"apiKey":"hunter2x7"}',
    '{"api-key":["hunter2x7",{"a":"hunter2x7"}]}',
    '{"credentials":{"user":"hunter2x7","n":[1,{"deep":"hunter2x7"}]},"symbol":"EURUSD"}',
    '{"secret":"hunter2x7',
    '{"secret":"a\\"hunter2x7"}',
    '[{"password":"hunter2x7"}]',
    '\ufeff {"password":"hunter2x7"}',
    '{"message":"{\\"secret\\":\\"hunter2x7\\"}"}',
    '{"notes":"secret=hunter2x7, risk=1"}',
    '{"content":"hunter2x7,buy,EURUSD,risk=1"}',
    '{"embeds":[{"fields":[{"name":"Secret","value":"hunter2x7"},{"name":"entry","value":"1"}]}]}',
    '{"fields":[{"value":"hunter2x7","inline":true,"name":"token"}]}',
    '{"fields":[{"value":["hunter2x7"],"name":"token"}]}',
    '{"to":"https://a.example/hooks/tv/hunter2x7/"}',
    "60123456789,buy,EURUSD,risk=1,secret=hunter2x7",
    '60123456789,buy,EURUSD,secret="hunter2x7",risk=1',
    '60123456789,buy,EURUSD,secret="correct, hunter2x7',
    "60123456789,buy,EURUSD,SECRET = hunter2x7 and more hunter2x7",
    "hunter2x7,buy,EURUSD,risk=1",
    "  hunter2x7 , buy,EURUSD\r\nhunter2x7,sell,EURUSD",
    "hunter2x7-a_b,buy,EURUSD",
    "\ufeffhunter2x7,buy,EURUSD",
    "password: hunter2x7",
    "Authorization: Bearer hunter2x7",
    "symbol=EURUSD&passphrase=hunter2x7&side=buy",
]


@pytest.mark.parametrize("body", BODIES)
def test_what_opens_a_door_is_not_shown(body: str) -> None:
    shown = masked(body)
    assert "hunter" not in shown
    assert "…" in shown
    for word in ("EURUSD", "risk=1", "buy,"):
        assert (word in body) == (word in shown)


def test_a_number_is_hidden_like_a_text() -> None:
    assert masked('{"a":1,"secret":7777001,"b":[7777001]}') == '{"a":1,"secret":…,"b":[7777001]}'
    assert masked("60123456789,buy,EURUSD") == "…,buy,EURUSD"


@pytest.mark.parametrize(
    "body",
    [
        '{"action": "buy",\r\n "symbol": "MNQ1!", "price": 15000.25, "id": "a-1", "notes": "a, b, \\"c\\": 1"}',
        '{"a":[],"b":{},"c":null,"d":-1.50e3}',
        "",
        "{",
        "}]",
        '"',
        "plain words",
        '{"name": "Token ring", "symbol": "EURUSD", "fields": [{"name": "Entry", "value": "1"}]}',
    ],
)
def test_everything_else_stays_as_it_came(body: str) -> None:
    assert masked(body) == body


def test_names_are_known_however_they_are_written() -> None:
    for name in (
        "secret",
        "SECRET",
        "client_secret",
        "API-Key",
        "key",
        "ｓｅｃｒｅｔ",
        "se\u200bcret",
        "Pass",
        "licenseId",
    ):
        assert opens_something(name), name
    for name in ("symbol", "action", "compass", "keyed", "pinbar", "author", "id", "sequence", "account"):
        assert not opens_something(name), name


some_json = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(where=some_json, name=some.sampled_from(["secret", "Passphrase", "TOKEN", "api_key"]), escapes=some.booleans())
def test_no_value_of_a_secret_is_shown_wherever_it_lies(where: object, name: str, escapes: bool) -> None:
    body = json.dumps({"outer": [where, {name: {"x": [PLANTED]}, "y": where}], name: PLANTED}, ensure_ascii=escapes)
    shown = masked(body)
    assert PLANTED not in shown
    for end in range(0, len(body), 7):
        assert PLANTED not in masked(body[:end])


@given(text=some.text(max_size=200))
def test_any_text_can_be_shown(text: str) -> None:
    masked(text)


@pytest.mark.parametrize("piece", ['"', "{", "[", "a=", "a,", '{"secret":', '\\"', '{"a":"', " ", "a:\t"])
def test_a_long_message_is_shown_at_once(piece: str) -> None:
    began = time.process_time()
    for start in ("", "{", '{"a":"'):
        masked(start + piece * (8_000 // len(piece)))
    assert time.process_time() - began < 2
