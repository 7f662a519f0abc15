"""Sources in the browser: made, sent from, looked at, switched off; a secret is shown once and nowhere else."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, client_for, team
from dashboard import words
from dashboard.queries import clocks
from dashboard.queries.sources import LATEST
from dashboard.tests.test_pages import confirmed
from dashboard.tests.test_sent_twice import in_another_thread
from dashboard.views import source_secrets
from mikrobot_platform.kernel import registry
from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.signals import SCALES, LevelUnit
from trading import pipeline
from trading.api.answers import STATUS
from trading.engine.broker_clock import ClockReading, DeclaredClock
from trading.models import RawSignal, Source, SourceSecret
from trading.pipeline import Delivery
from trading.services import sources
from trading.tests.sources import kept, make_source, push, rest, rows, sent, swept, validate
from trading.tests.test_hooks import OWN, Sender, alert

EA, TV = sources.SIGNED, sources.ADDRESSED


def form_of(browser: Client, kind: str, /, **typed: Any) -> dict[str, Any]:
    """Fill in the form for a new source as it is offered."""
    form = browser.get(reverse("source_new")).context["form"]
    offered = {name: form[name].value() for name in form.fields}
    filled = {name: value for name, value in offered.items() if value is not None}
    return filled | {"kind": kind, "name": f"Source {uuid4().hex[:8]}"} | typed


def make(browser: Client, kind: str, /, **typed: Any) -> tuple[Source, str, str]:
    """Make a source in the browser; return it with its secret and the page that shows it."""
    answer = browser.post(reverse("source_new"), form_of(browser, kind, **typed))
    page = html.unescape(answer.content.decode())
    assert answer.status_code == 200, answer.context and answer.context["form"].errors
    assert "no-store" in answer["Cache-Control"]
    return answer.context["source"], secret_on(page), page


def secret_on(page: str) -> str:
    found = re.search(r'id="(?:secret-text|address)">(?:[^<]*/hooks/tv/)?([A-Za-z0-9_-]{43})', page)
    assert found is not None, page
    return found[1]


def page_of(browser: Client, name: str, *ids: Any, **query: str) -> str:
    answer = browser.get(reverse(name, args=ids), query)
    assert answer.status_code == 200
    return answer.content.decode()


def text_of(page: str) -> str:
    """Return what a page says, without its markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def source_now(cast: Team, source: Source) -> Source:
    with tenant_scope(cast.house.pk), atomic():
        found: Source = Source.objects.get(pk=source.pk)
    return found


def first_message(source: Source) -> RawSignal:
    return rows(source)[0][0]


# --- The whole story --------------------------------------------------------------------------------------------------
def test_an_expert_advisor_from_the_form_to_the_reason() -> None:
    cast = team()
    tess = confirmed(cast.tess)
    source, secret, page = make(tess, EA, name="EURJPY on the VPS")
    for setting in ("ServerUrl", "SourceId", "Secret", settings.SITE_URL, str(source.pk)):
        assert setting in page
    ea = Sender(source=source, secret=secret)
    assert "Nothing has come in the last 30 days" in page_of(tess, "source", source.pk)

    assert ea.send(1, "heartbeat").status_code == 200
    alive = text_of(page_of(tess, "source", source.pk))
    assert "It is alive and has sent no signal yet" in alive
    assert "Last heard from" in alive
    assert "Number 1," in alive

    assert [ea.send(2).status_code, ea.send(2).status_code, ea.send(5, "heartbeat").status_code] == [200, 200, 200]
    assert ea.send(6, secret="wrong").status_code == 401
    swept(source, timezone.now())
    seen = text_of(page_of(tess, "source", source.pk))
    [signal] = rows(source)[1]
    assert signal.sentence
    for words_on_it in (
        f"EURJPY Buy {signal.strategy}", signal.sentence, "Duplicate", "The same message was here before", "2 missing",
        "Its signature does not belong to it", "Messages 2 Read as signals 1 Duplicates 1 Refused 0",
        "Turned away at the door 1 Signs of life 2",
    ):  # fmt: skip
        assert words_on_it in seen
    listed = text_of(page_of(tess, "sources"))
    assert "EURJPY on the VPS Expert Advisor, signed push On" in listed
    assert re.search(r"EURJPY Duplicate Last heard from .* 2 messages never came 2 1", listed)

    story = page_of(tess, "source_message", source.pk, first_message(source).pk)
    assert "This is a sign of life" in story
    story = text_of(page_of(tess, "source_message", source.pk, signal.raw_id))
    for words_on_it in (
        "Received", "It is a signal.", "Judged M5 BOS + M1 Retest 1.0.0", signal.sentence, signal.code,
        "Came again another message of this signal", '"symbol":"EURJPY"', "Price then 171.14200",
    ):  # fmt: skip
        assert words_on_it in story


def test_an_alert_from_the_message_on_the_page_to_the_reason() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source, secret, page = make(alice, TV, levels="pips")
    assert f"{settings.SITE_URL}/hooks/tv/{secret}/" in page
    filled = {
        "ticker": "MNQ1!", "strategy.order.action": "sell", "strategy.market_position": "flat", "close": "21500.25",
        "interval": "5", "time": "2026-03-01T10:00:00Z", "timenow": "2026-03-01T10:00:03Z", 'plot("Stop")': "21480",
        'plot("Target")': "21540",
    }  # fmt: skip
    for template in (source_secrets.STRATEGY_ALERT, source_secrets.INDICATOR_ALERT):
        assert template in page
        text = re.sub(r"\{\{(.+?)\}\}", lambda found: filled[found[1]], template)
        answer = alert(secret, text, "text/plain")
        assert (answer.status_code, answer.json()["accepted"]) == (200, True), answer.content
    left_out = alert(secret, source_secrets.STRATEGY_ALERT.replace('"{{ticker}}"', '"ES1!"'))
    assert left_out.json()["code"] == Code.PLACEHOLDER
    exit_of_strategy, entry = rows(source)[1]
    assert (exit_of_strategy.action, exit_of_strategy.side) == ("close", "buy")
    assert (entry.action, entry.side, entry.stop) == ("open", "buy", 21480)
    seen = text_of(page_of(alice, "source", source.pk))
    assert "MNQ1! Close Buy" in seen
    assert "was sent as it stands: the alert was not filled in. Refused" in seen
    assert f"{settings.SITE_URL}/hooks/tv/…/" in seen
    assert "Bare levels Pips from the entry" in seen


def test_both_secrets_count_until_the_old_one_is_ended_and_a_source_that_is_off_is_told_so() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source, secret, _page = make(alice, EA)
    address = reverse("source_secret", args=[source.pk])
    form = {"once": alice.get(address).context["form"]["once"].value(), "overlap": "24"}
    exchanged = alice.post(address, form)
    fresh = secret_on(exchanged.content.decode())
    assert "The old one counts until" in exchanged.content.decode()
    assert "no-store" in exchanged["Cache-Control"]
    ea = Sender(source=source, secret=fresh)
    assert [ea.send(1, secret=secret).status_code, ea.send(2).status_code] == [200, 200]
    seen = text_of(page_of(alice, "source", source.pk))
    assert "Current since" in seen
    assert "The old one counts until" in seen
    alice.post(reverse("source_secret_end", args=[source.pk]))
    assert [ea.send(3, secret=secret).status_code, ea.send(4).status_code] == [401, 200]
    assert "The old one" not in page_of(alice, "source", source.pk)

    off = alice.post(reverse("source_switch", args=[source.pk]), {"on": "0"}, follow=True)
    assert "This source is off." in off.content.decode()
    assert "Switch it on again" in off.content.decode()
    assert ea.send(5).status_code == 403
    assert "The source is switched off." in page_of(alice, "source", source.pk)
    assert " Off " in text_of(page_of(alice, "sources"))
    alice.post(reverse("source_switch", args=[source.pk]), {"on": "1"})
    assert ea.send(5).status_code == 200
    assert "This source is off." not in page_of(alice, "source", source.pk)


def test_an_exchange_may_end_the_old_secret_at_once() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source, secret, _page = make(alice, TV)
    answer = alice.post(reverse("source_secret", args=[source.pk]), {"once": uuid4().hex, "overlap": "0"})
    assert "The old one counts no more" in answer.content.decode()
    assert alert(secret, OWN).status_code == 404
    assert alert(secret_on(answer.content.decode()), OWN).status_code == 200


# --- Secrets ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [EA, TV])
def test_a_secret_is_shown_once_and_nowhere_else(kind: str) -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source, secret, _page = make(alice, kind)
    exchanged = alice.post(reverse("source_secret", args=[source.pk]), {"once": uuid4().hex, "overlap": "24"})
    fresh = secret_on(exchanged.content.decode())
    assert secret not in exchanged.content.decode()
    if kind == TV:
        alert(fresh, {**OWN, "secret": fresh, "price": "{{close}}"})
        alert(fresh, {**OWN, "secret": fresh})
    else:
        Sender(source=source, secret=fresh).send(1)
    pages = [page_of(alice, name) for name in ("sources", "audit_trail", "home")]
    pages.append(page_of(alice, "source", source.pk, all="1"))
    pages.append(page_of(alice, "source_secret", source.pk))
    pages += [page_of(alice, "source_message", source.pk, raw.pk) for raw in rows(source)[0]]
    pages.append(alice.get(reverse("audit_download")).getvalue().decode())
    pages.append(alice.post(reverse("source_change", args=[source.pk]), {"name": ""}).content.decode())
    pages.append(alice.post(reverse("source_switch", args=[source.pk]), {"on": "0"}, follow=True).content.decode())
    with tenant_scope(cast.house.pk), atomic():
        pages.append(json.dumps(list(SourceSecret.objects.values("sealed")), default=str))
        pages.append(json.dumps(list(AuditEntry.objects.values("subject", "data")), default=str))
    pages.append(json.dumps(dict(alice.session), default=str))
    for page in pages:
        assert secret not in page
        assert fresh not in page


@pytest.mark.parametrize(
    "body",
    [
        "60123456789,buy,EURUSD,risk=1,secret=hunter2x7",
        "hunter2x7,buy,EURUSD,risk=1",
        "60123456789,buy,EURUSD,passphrase=hunter2x7",
        json.dumps({**OWN, "Secret": "hunter2x7"}),
        json.dumps({**OWN, "secret": 7777001}).replace("7777001", "hunter2x7"),
        json.dumps({**OWN, "secret": "hunter2x7"}).replace("secret", "s\\u0065cret"),
        json.dumps({**OWN, "passphrase": "hunter2x7"}),
    ],
)
def test_who_looks_at_a_message_learns_no_password_of_another_product(body: str) -> None:
    cast = team()
    source, secret, _page = make(confirmed(cast.alice), TV)
    alert(secret, body, "text/plain")
    bob = client_for(cast.bob)
    pages = [page_of(bob, "source_message", source.pk, raw.pk) for raw in rows(source)[0]]
    pages += [page_of(bob, "source", source.pk, all="1"), page_of(bob, "sources"), page_of(bob, "audit_trail")]
    assert "…" in pages[0]
    for page in pages:
        assert "hunter" not in page


def test_making_and_exchanging_need_a_fresh_proof_of_who_asks() -> None:
    cast = team()
    alice = client_for(cast.alice)
    source = make_source(cast.house.pk, TV)
    for address in (reverse("source_new"), reverse("source_secret", args=[source.pk])):
        for answer in (alice.get(address), alice.post(address, {"once": "x", "overlap": "24"})):
            assert answer.status_code == 302
            assert answer["Location"].startswith(reverse("account_reauthenticate"))
    with tenant_scope(cast.house.pk), atomic():
        assert not SourceSecret.objects.exists()


# --- Forms ------------------------------------------------------------------------------------------------------------
def test_one_form_makes_one_source_and_exchanges_one_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = team()
    alice = confirmed(cast.alice)
    form = form_of(alice, TV)

    def sent_twice(deed: str, address: str, typed: dict[str, Any]) -> Any:
        """The first is in the middle of its deed: now the second comes."""
        do, seconds = getattr(sources, deed), []

        def meanwhile(*args: Any, **kwargs: Any) -> Any:
            monkeypatch.setattr(sources, deed, do)
            seconds.append(in_another_thread(lambda: alice.post(address, typed)))
            return do(*args, **kwargs)

        monkeypatch.setattr(sources, deed, meanwhile)
        assert alice.post(address, typed).status_code == 200
        assert [one.status_code for one in seconds] == [302]
        return alice.post(address, typed, follow=True).content.decode()

    again = sent_twice("make", reverse("source_new"), form)
    assert "was made already" in again
    with tenant_scope(cast.house.pk), atomic():
        source = Source.objects.get(organization_id=cast.house.pk)
    again = sent_twice("exchange_secret", reverse("source_secret", args=[source.pk]), {"once": "e", "overlap": "24"})
    assert "was exchanged already" in again
    with tenant_scope(cast.house.pk), atomic():
        assert SourceSecret.objects.count() == 2


REFUSED = [
    ({"name": ""}, "name", "required"),
    ({"name": "bad\u202ename"}, "name", "no invisible characters"),
    ({"kind": "ea_file"}, "kind", "not one of the available choices"),
    ({"per_minute": "0"}, "per_minute", "Between 1 and 600"),
    ({"per_minute": "9" * 30}, "per_minute", "Between 1 and 600"),
    ({"networks": "203.0.113.0/24\nhere"}, "networks", "“here” is not an address"),
    ({"levels": "furlongs"}, "levels", "not one of the available choices"),
    ({"clock_zone": "Mars/Olympus"}, "clock_zone", "not one of the available choices"),
    ({"clock_zone": "America/New_York", "clock_shift": "0.1"}, "clock_shift", "a number of quarter hours"),
    ({"clock_zone": "", "clock_shift": "7"}, "clock_shift", "beside a time zone"),
]


@pytest.mark.parametrize(("typed", "field", "sentence"), REFUSED)
def test_a_refusal_stands_beside_its_field_and_what_was_typed_stays(
    typed: dict[str, str], field: str, sentence: str
) -> None:
    cast = team()
    alice = confirmed(cast.alice)
    kind = TV if field == "levels" else EA
    form = form_of(alice, kind, **typed)
    answer = alice.post(reverse("source_new"), form)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert answer.context["form"][field].value() == typed[field]
    assert ('<details class="fold" open>' in page) == (field in {"per_minute", "networks", "clock_zone", "clock_shift"})
    with tenant_scope(cast.house.pk), atomic():
        assert not Source.objects.filter(organization_id=cast.house.pk).exists()
    whole = form | {"name": "Mended", "kind": kind, "per_minute": "60", "networks": "", "levels": "price",
                    "clock_zone": "", "clock_shift": ""}  # fmt: skip
    assert alice.post(reverse("source_new"), whole).status_code == 200, "the same form, mended, goes through"


def test_a_name_is_taken_once_and_every_setting_arrives() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source, _secret, _page = make(
        alice, EA, name="Mine", per_minute="30", networks="203.0.113.0/24, 198.51.100.7", clock_zone="America/New_York",
        clock_shift="7", levels="pips",
    )  # fmt: skip
    taken = alice.post(reverse("source_new"), form_of(alice, TV, name="Mine"))
    [sentence] = taken.context["form"].errors["name"]
    assert "a source called “Mine” already" in sentence
    assert (source.per_minute, source.networks) == (30, ["198.51.100.7/32", "203.0.113.0/24"])
    assert (source.clock_zone, source.clock_shift_s) == ("America/New_York", 7 * 3600)
    assert source.levels == LevelUnit.UNKNOWN, "an EA's levels are prices; the setting was not asked for"
    seen = text_of(page_of(alice, "source", source.pk))
    assert "Declared as 7 h ahead of America/New York." in seen

    form = alice.get(reverse("source", args=[source.pk])).context["form"]
    typed = {name: form[name].value() for name in form.fields}
    assert (typed["clock_shift"], typed["networks"]) == ("7", "198.51.100.7/32\n203.0.113.0/24")
    assert "levels" not in typed
    refused = alice.post(reverse("source_change", args=[source.pk]), typed | {"per_minute": "601"})
    assert refused.status_code == 422
    assert "Between 1 and 600 messages a minute." in refused.content.decode()
    assert 'value="601"' in refused.content.decode()
    alice.post(reverse("source_change", args=[source.pk]), typed | {"name": "Ours", "clock_shift": "2.5"})
    changed = source_now(cast, source)
    assert (changed.name, changed.clock_shift_s, changed.per_minute) == ("Ours", 9000, 30)
    form = alice.get(reverse("source", args=[source.pk])).context["form"]
    typed |= {"version": form["version"].value()}
    alice.post(
        reverse("source_change", args=[source.pk]), typed | {"name": "Ours", "clock_zone": "", "clock_shift": ""}
    )
    assert source_now(cast, source).clock_zone == ""


# --- Who may ----------------------------------------------------------------------------------------------------------
Deed = Callable[[Client, Source], Any]
DEEDS: dict[str, Deed] = {
    "source_new": lambda browser, _source: browser.post(
        reverse("source_new"), {"once": "x", "kind": TV, "name": "Mine", "per_minute": "60", "levels": "price",
                                "power_scale": "percent", "confluence_scale": "L0-L4", "confidence_scale": "C1-C3"}
    ),
    "source_change": lambda browser, source: browser.post(
        reverse("source_change", args=[source.pk]), {"name": "Taken over", "per_minute": "60", "levels": "price",
                                                     "power_scale": "percent", "confluence_scale": "L0-L4",
                                                     "confidence_scale": "C1-C3"}
    ),
    "source_switch": lambda browser, source: browser.post(reverse("source_switch", args=[source.pk]), {"on": "0"}),
    "source_secret": lambda browser, source: browser.post(
        reverse("source_secret", args=[source.pk]), {"once": "x", "overlap": "0"}
    ),
    "source_secret_end": lambda browser, source: browser.post(reverse("source_secret_end", args=[source.pk])),
}  # fmt: skip


def test_a_viewer_looks_and_a_stranger_finds_nothing_and_nothing_happens() -> None:
    cast = team()
    alice, bob, charlie = confirmed(cast.alice), confirmed(cast.bob), confirmed(cast.charlie)
    source, secret, _page = make(alice, TV, name="Alerts")
    alice.post(reverse("source_secret", args=[source.pk]), {"once": "e", "overlap": "24"})
    assert alert(secret, OWN).status_code == 200
    raw = first_message(source)

    def state() -> list[Any]:
        with tenant_scope(cast.house.pk), atomic():
            return [*Source.objects.filter(organization_id=cast.house.pk).values(), *SourceSecret.objects.values()]

    before = state()
    for name in ("sources", "source", "source_message"):
        args = {"sources": [], "source": [source.pk], "source_message": [source.pk, raw.pk]}[name]
        seen = page_of(bob, name, *args)
        assert "MNQ1!" in seen
        for lever in ("Make a source", "Switch it off", "Exchange", "End it now", "Save the setup", "source_change"):
            assert lever not in seen
        answer = charlie.get(reverse(name, args=args))
        assert answer.status_code == (200 if name == "sources" else 404)
        assert "MNQ1!" not in answer.content.decode()
    for name, deed in DEEDS.items():
        assert deed(bob, source).status_code == 403, name
        assert deed(charlie, source).status_code == (200 if name == "source_new" else 404), name
    assert state() == before
    elsewhere = make_source(cast.house.pk, TV)
    assert alice.get(reverse("source_message", args=[elsewhere.pk, raw.pk])).status_code == 404
    assert all(deed(confirmed(cast.tess), source).status_code < 400 for deed in DEEDS.values()), "they are real deeds"
    assert state() != before


def test_a_source_of_the_platform_shows_its_signals_and_nothing_else() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source = make_source(PLATFORM_ID, EA)
    sent(source, push(source, 1), now=timezone.now())
    validate(PLATFORM_ID, rows(source)[1][0].pk, now=timezone.now())
    [signal] = rows(source)[1]
    listed = text_of(page_of(alice, "sources"))
    assert re.search(rf"{source.name} Expert Advisor, signed push MikroBot On .* EURJPY", listed)
    seen = page_of(alice, "source", source.pk)
    assert signal.sentence in html.unescape(seen)
    for own in ("Setup", "Secret", "Streams", "clock", "Last 24 hours", "/hooks/", "Switch it"):
        assert own not in text_of(seen)
    story = page_of(alice, "source_message", source.pk, signal.raw_id)
    assert "Judged" in story
    for its_own in ("The message as it came", "mikrobot-ea/1", "bytes", "107000001"):
        assert its_own not in story.replace("ea_push/1", "").replace(" bytes, kept as they came", "")
    for name, deed in DEEDS.items():
        assert name == "source_new" or deed(alice, source).status_code == 404


def test_a_built_in_source_has_a_setup_and_no_secret() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk):
        source = sources.built_in(cast.house.pk, "rest")
    sent(source, rest(symbol="GBPUSD", side="sell"), now=timezone.now())
    assert "GBPUSD" in page_of(alice, "sources")
    seen = text_of(page_of(alice, "source", source.pk))
    assert "GBPUSD Sell" in seen
    assert f"{settings.SITE_URL}/api/v1/signals/" in seen
    assert "Exchange the secret" not in seen
    assert DEEDS["source_secret"](alice, source).status_code == 404
    typed = {"name": "Journal", "per_minute": "10", "power_scale": "fraction", "confluence_scale": "L0-L4",
             "confidence_scale": "C1-C3"}  # fmt: skip
    assert alice.post(reverse("source_change", args=[source.pk]), typed).status_code == 302
    changed = source_now(cast, source)
    assert (changed.name, changed.power_scale, changed.levels) == ("Journal", "fraction", LevelUnit.PRICE)


# --- What is shown ----------------------------------------------------------------------------------------------------
def test_empty_pages_say_what_a_source_is_and_how_to_begin() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    mine = [one for one in alice.get(reverse("sources")).context["lines"] if not one.source.is_of_platform]
    assert mine == []
    with patch("dashboard.queries.sources.lines", return_value=[]):
        empty = page_of(alice, "sources")
        assert "Nothing can send signals yet" in empty
        assert reverse("source_new") in empty
        assert reverse("source_new") not in page_of(client_for(cast.bob), "sources")
    for kind, how in ((EA, "Put MikrobotPush on one chart"), (TV, "Paste the webhook address"), ("rest", "API key of")):
        assert how in page_of(alice, "source", make_source(cast.house.pk, kind).pk)


def test_names_and_messages_are_shown_as_text() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    evil = "<script>alert(1)</script>"
    source, secret, _page = make(alice, TV, name=evil)
    long = {**OWN, "comment": evil, "id": "x"}
    assert alert(secret, long).status_code == 200
    assert alert(secret, f"{evil}{'y' * 20_000}", "text/plain").status_code == 422
    assert alert(secret, b"\xff\x00\xfe".decode("latin-1"), "text/plain").status_code == 422
    assert alert(secret, {**OWN, "symbol": evil}).status_code == 422
    pages = [page_of(alice, "sources"), page_of(alice, "source", source.pk), page_of(alice, "source_secret", source.pk)]
    stories = [page_of(alice, "source_message", source.pk, raw.pk) for raw in rows(source)[0]]
    assert len(stories) == 4
    for page in [*pages, *stories]:
        assert "<script>alert" not in page
    assert "&lt;script&gt;" in pages[0]
    assert "characters more" in stories[1]
    assert len(stories[1]) < 30_000


def test_signs_of_life_do_not_bury_the_signals() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source, secret, _page = make(alice, EA)
    ea = Sender(source=source, secret=secret)
    now = timezone.now()
    ea.send(1)
    for number in range(LATEST + 5):
        sent(source, push(source, number + 2, "heartbeat"), now=now + timedelta(seconds=number))
    seen = page_of(alice, "source", source.pk)
    assert "EURJPY</strong>" in seen
    assert "Signs of life are left out." in seen
    everything = page_of(alice, "source", source.pk, all="1")
    assert everything.count("This is a sign of life, not a signal.") == LATEST
    assert "EURJPY</strong>" not in everything


def test_what_is_older_than_a_month_is_not_looked_for() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source = make_source(cast.house.pk, "rest")
    sent(source, rest(symbol="AUDUSD"), now=timezone.now() - timedelta(days=31))
    assert "AUDUSD" not in page_of(alice, "sources") + page_of(alice, "source", source.pk)
    sent(source, rest(symbol="NZDUSD"), now=timezone.now() - timedelta(days=29))
    assert "NZDUSD" in page_of(alice, "sources")
    assert "NZDUSD" in page_of(alice, "source", source.pk)
    assert text_of(page_of(alice, "sources")).count("NZDUSD Being judged 0 0") == 1


def test_a_removed_source_is_not_listed_and_what_it_sent_is_still_read() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source, _secret, _page = make(alice, TV)
    outcome = sent(source, Delivery(body=json.dumps(OWN).encode()), now=timezone.now())
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        sources.switch(cast.as_alice, source.pk, is_on=False)
        sources.remove(cast.as_alice, source.pk)
    assert source.name not in page_of(alice, "sources")
    assert "MNQ1!" in page_of(alice, "source", source.pk)
    assert "MNQ1!" in page_of(alice, "source_message", source.pk, outcome.raw_id)


def test_times_are_in_the_readers_zone() -> None:
    cast = team()
    cast.alice.time_zone = "Asia/Tokyo"
    cast.alice.save()
    source = make_source(cast.house.pk, "rest")
    at = timezone.now().replace(hour=10, minute=11, second=12, microsecond=0) - timedelta(days=1)
    sent(source, rest(), now=at)
    alice = confirmed(cast.alice)
    for page in (page_of(alice, "sources"), page_of(alice, "source", source.pk)):
        assert "19:11:12" in text_of(page)
        assert "Times in Asia/Tokyo" in text_of(page)


def test_a_message_that_was_kept_and_not_read_is_told_as_it_is() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source = make_source(cast.house.pk, "rest")
    raw_id = kept(source, Delivery(body=b"{}"), now=timezone.now())
    assert "Being read" in page_of(alice, "source", source.pk)
    assert "It was kept and is about to be read." in page_of(alice, "source_message", source.pk, raw_id)
    pipeline.quarantine_raw(cast.house.pk, raw_id, "it stood still too often", timezone.now())
    seen = page_of(alice, "source", source.pk)
    assert "Put aside" in seen
    assert "because of a fault of ours" in seen


def test_the_client_for_metatrader_can_be_downloaded() -> None:
    cast = team()
    answer = client_for(cast.bob).get(reverse("source_client"))
    assert answer.status_code == 200
    assert "MikrobotPush.mq5" in answer["Content-Disposition"]
    assert b"input string ServerUrl" in answer.getvalue()
    assert Client().get(reverse("source_client")).status_code == 302


def test_the_trail_tells_what_was_done_to_sources() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    source, secret, _page = make(alice, EA)
    with time_machine.travel(timezone.now(), tick=False):
        Sender(source=source, secret=secret).send(1, secret="wrong")
    seen = text_of(page_of(alice, "audit_trail"))
    assert "Made a source · Expert Advisor, signed push" in seen
    assert re.search(r"Turned a message away · Its signature does not belong to it.* A sender", seen)
    only = text_of(page_of(alice, "audit_trail", group="source"))
    assert "Made a source" in only
    assert "Turned a message away" not in only.replace("Messages turned away", "")


# --- Words ------------------------------------------------------------------------------------------------------------
def test_every_code_has_words() -> None:
    assert set(words.SOURCE_KINDS) == set(registry.SOURCES)
    assert set(words.SCALES) == set(SCALES)
    assert set(words.LEVELS) == {unit.value for unit in LevelUnit}
    assert set(words.LEVEL_UNITS) == {unit.value for unit in LevelUnit} - {"price"}
    assert set(words.TURNED_AWAY) >= set(STATUS) - {Code.SOURCE_UNKNOWN}


NEW_YORK = DeclaredClock(zone="America/New_York", shift_s=7 * 3600)


@pytest.mark.parametrize(
    ("reading", "headline", "says"),
    [
        ({}, "Not known yet", "n = 0, needs 3"),
        ({"arrivals": 2}, "Not known yet", "n = 2, needs 3"),
        ({"arrivals": 7, "agreeing": 3}, "Not known yet", "The last 7 stamps do not agree."),
        ({"offset_s": 10800, "learnt_s": 10800, "arrivals": 12, "agreeing": 9}, "UTC+3:00", "9 of the last 12"),
        ({"offset_s": -12600, "learnt_s": -12600, "arrivals": 4, "agreeing": 4}, "UTC-3:30", "(100 %)"),
        (
            {"offset_s": 7200, "learnt_s": 7200, "arrivals": 9, "agreeing": 5, "drift_s": -3600},
            "UTC+2:00", "It has just moved by 1 h.",
        ),
        ({"declared": NEW_YORK}, "Declared", "7 h ahead of America/New York. Nothing with a stamp"),
        (
            {"declared": NEW_YORK, "offset_s": 10800, "learnt_s": 10800, "arrivals": 3, "agreeing": 3},
            "UTC+3:00", "Declared as 7 h ahead of America/New York. 3 of the last 3 stamps agree (100 %).",
        ),
        (
            {"declared": NEW_YORK, "learnt_s": 9000, "arrivals": 9, "agreeing": 9, "drift_s": -1800},
            "In doubt", "what arrives says UTC+2:30: 30 min apart",
        ),
        ({"declared": DeclaredClock(zone="UTC", shift_s=-5400)}, "Declared", "1 h 30 min behind UTC"),
    ],
)  # fmt: skip
def test_a_clock_is_told_in_words(reading: dict[str, Any], headline: str, says: str) -> None:
    base: dict[str, Any] = {"offset_s": None, "learnt_s": None, "arrivals": 0, "agreeing": 0}
    clock = clocks.told(ClockReading(**(base | reading)))
    assert clock.headline == headline
    assert says in clock.sentence
    assert clock.is_doubtful == (headline == "In doubt")
