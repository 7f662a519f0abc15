"""Acceptance: sign up, secure the account, come back with the passkey alone, invite somebody who may only look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from dashboard.tests.site import code_now, deliver, fits, give_authenticator, letter_to, link_in, listen, serving

pytestmark = [pytest.mark.browser, pytest.mark.early]

PAGES = (
    "",
    "home/",
    "security/",
    "accounts/",
    "accounts/new/",
    "sources/",
    "keys/",
    "team/",
    "audit/",
    "organization/",
)
HEADINGS = {
    "team/": "Team",
    "accounts/": "Accounts",
    "sources/": "Sources",
    "keys/": "API keys",
    "audit/": "Audit trail",
}
FILLED = {
    "ticker": "MNQ1!", "strategy.order.action": "buy", "strategy.market_position": "long", "close": "21500.25",
    "interval": "5", "timenow": "2026-03-01T10:00:03Z",
}  # fmt: skip
PASSWORD = "correct horse battery"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(name="mail")
def mail_directory(tmp_path: Path) -> Path:
    (tmp_path / "mail").mkdir()
    return tmp_path / "mail"


@pytest.fixture(name="site")
def running_site(mail: Path) -> Iterator[str]:
    with serving(mail) as address:
        yield address


@pytest.fixture(name="browser")
def chromium(chromium_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        browser.close()


def sign_up(page: Page, start: str, mail: Path, email: str, name: str, organization: str = "") -> None:
    """Fill in the form at `start`, then follow the link in the letter."""
    page.goto(start)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    if organization:
        page.get_by_label("Organization").fill(organization)
    page.get_by_label("I accept the terms of service.").check()
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("heading", name="Look into your mailbox")).to_be_visible()
    page.goto(link_in(letter_to(email, mail), "confirm-email"))
    page.get_by_role("button", name="This is my address").click()


def add_authenticator_app(page: Page, site: str) -> None:
    page.goto(f"{site}/security/")
    page.get_by_role("link", name="Set up").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    secret = page.locator("#authenticator_secret").inner_text().strip()
    page.get_by_label("Six digits from the app").fill(code_now(secret))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def add_passkey(context: BrowserContext, page: Page, site: str) -> None:
    give_authenticator(context, page)
    page.goto(f"{site}/security/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("This laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_text("The passkey is added.")).to_be_visible()


def sign_out(page: Page) -> None:
    page.locator(".frame-head details").last.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_a_person_signs_up_secures_the_account_and_invites_a_viewer(browser: Browser, site: str, mail: Path) -> None:
    complaints: list[str] = []
    mark = token_hex(4)
    alice, viola = f"alice-{mark}@example.com", f"viola-{mark}@example.com"
    context = browser.new_context(timezone_id="Europe/Helsinki")
    page = listen(context.new_page(), complaints)

    sign_up(page, f"{site}/account/signup/", mail, alice, "Alice Adler", "Adler Capital")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto(f"{site}/profile/")
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Helsinki")
    add_authenticator_app(page, site)
    add_passkey(context, page, site)
    page.goto(f"{site}/security/")
    expect(page.get_by_text("This laptop")).to_be_visible()

    sign_out(page)
    page.goto(f"{site}/account/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.goto(f"{site}/team/")
    page.get_by_label("E-mail address").fill(viola)
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_text(f"An invitation is on its way to {viola}.")).to_be_visible()
    deliver()
    other = browser.new_context()
    guest = listen(other.new_page(), complaints)
    guest.goto(link_in(letter_to(viola, mail), "invitation"))
    guest.get_by_role("link", name="Create your sign-in").click()
    sign_up(guest, guest.url, mail, viola, "Viola")
    guest.get_by_role("button", name="Accept the invitation").click()
    expect(guest.get_by_text("You are now a member of “Adler Capital”.")).to_be_visible()

    a_viewer_sees_and_cannot_change(guest, site)
    for address in PAGES:
        page.goto(f"{site}/{address}")
        assert fits(page), f"/{address} scrolls sideways on a phone"
    context.close()
    other.close()
    assert complaints == []


def a_viewer_sees_and_cannot_change(page: Page, site: str) -> None:
    for address, heading in HEADINGS.items():
        page.goto(f"{site}/{address}")
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    page.goto(f"{site}/team/")
    expect(page.get_by_text("Alice Adler")).to_be_visible()
    for lever in ("Send the invitation", "Change", "Remove…", "Make owner…"):
        expect(page.get_by_text(lever, exact=True)).to_have_count(0)
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    for address, typed in (
        ("team/invite/", {"email": "friend@example.com", "role": "trader"}),
        ("organization/rename/", {"name": "Viola's now"}),
        ("accounts/new/", {"venue": "paper", "name": "mine", "kind": "demo", "currency": "USD"}),
        ("keys/new/", {"name": "mine", "scopes": "admin"}),
        ("sources/new/", {"name": "mine", "kind": "tradingview"}),
        ("organization/close/", {"typed_name": "Adler Capital"}),
    ):
        headers = {"Referer": f"{site}/team/"}
        answer = page.request.post(f"{site}/{address}", form={**typed, "csrfmiddlewaretoken": token}, headers=headers)
        assert answer.status == 403, (address, answer.status)
        assert "Your role only allows looking. Nothing was changed." in answer.text()
    page.goto(f"{site}/home/")
    expect(page.get_by_text("Adler Capital").first).to_be_visible()
    expect(page.get_by_text("No account is connected")).to_be_visible()


def test_a_source_is_made_and_each_of_its_pages_fits_a_phone(browser: Browser, site: str, mail: Path) -> None:
    complaints: list[str] = []
    page = listen(browser.new_context().new_page(), complaints)
    sign_up(page, f"{site}/account/signup/", mail, f"sven-{token_hex(4)}@example.com", "Sven", "Sven alone")
    page.goto(f"{site}/sources/new/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    meaning, clock = page.get_by_label("What a bare stop or target means"), page.get_by_label("Broker’s clock")
    page.get_by_text("Limits, addresses and more").click()
    page.get_by_label("Expert Advisor, signed push").check()
    expect(clock).to_be_visible()
    expect(meaning).to_be_hidden()
    page.get_by_label("TradingView and its dialects").check()
    expect(clock).to_be_hidden()
    expect(meaning).to_be_visible()
    assert fits(page)
    page.get_by_label("Name").fill("Alerts " + "of a very long name" * 3)
    page.get_by_role("button", name="Make the source").click()
    alert, address = page.locator("#alert-1").inner_text(), page.locator("#address").inner_text()
    assert fits(page)
    for text in (alert, re.sub(r"{{(.*?)}}", lambda found: FILLED[found[1]], alert)):
        page.request.post(address, data=text, headers={"Content-Type": "text/plain"})
    page.get_by_role("link", name="I have stored it").click()
    expect(page.get_by_text("the alert was not filled in")).to_be_visible()
    expect(page.get_by_text("MNQ1!", exact=True)).to_be_visible()
    assert fits(page)
    page.locator(".story a").first.click()
    expect(page.get_by_role("heading", name="MNQ1!")).to_be_visible()
    assert fits(page)
    page.goto(f"{site}/sources/")
    assert fits(page)
    assert complaints == []


def test_a_cancelled_passkey_is_told_on_the_page(browser: Browser, site: str) -> None:
    complaints: list[str] = []
    context = browser.new_context()
    page = listen(context.new_page(), complaints)
    give_authenticator(context, page)  # it holds no key, so the browser finds nothing to offer
    page.goto(f"{site}/account/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("The passkey was not used")).to_be_visible(timeout=90_000)
    assert re.search("account/login", page.url)
    context.close()
    assert complaints == []
