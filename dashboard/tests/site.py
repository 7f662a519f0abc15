"""The site as a browser meets it: a real server on localhost, e-mails in files, every complaint collected."""

from __future__ import annotations

import base64
import email
import hashlib
import hmac
import re
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test.utils import override_settings
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response

from accounts import outbox


class Server(ThreadingMixIn, WSGIServer):
    """A thread a request, as in production; they end with the process."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing: the application logs requests itself."""


@contextmanager
def serving(mail: Path) -> Iterator[str]:
    """Serve the site and give its address; what it would send lands in `mail`."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet) as server:
        address = f"http://localhost:{server.server_port}"
        threading.Thread(target=server.serve_forever, name="site", daemon=True).start()
        with override_settings(
            SITE_URL=address,
            EMAIL_BACKEND="django.core.mail.backends.filebased.EmailBackend",
            EMAIL_FILE_PATH=str(mail),
        ):
            yield address
        server.shutdown()


def deliver() -> None:
    """Run the outbox relay, in a thread of its own: the browser's event loop owns this one."""

    def run() -> None:
        try:
            outbox.relay()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(timeout=30)


def letter_to(address: str, mail: Path) -> str:
    """Return the newest letter's text."""
    found: list[tuple[float, str]] = []
    for file in mail.glob("*.log"):
        for raw in re.split(rb"\n-{79}\n", file.read_bytes()):
            message = email.message_from_bytes(raw.lstrip(b"\n"), policy=default)
            assert isinstance(message, EmailMessage)
            body = message.get_body(("plain",))
            if message["to"] == address and body is not None:
                found.append((file.stat().st_mtime, str(body.get_content())))
    assert found, f"no letter to {address}"
    return max(found)[1]


def link_in(text: str, part: str) -> str:
    found = re.search(rf"https?://\S*{part}\S*", text)
    assert found is not None, text
    return found[0]


def code_now(secret: str) -> str:
    """Compute what an authenticator app would show (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4]) & 0x7FFFFFFF) % 10**6:06d}"


def give_authenticator(context: BrowserContext, page: Page) -> None:
    """Give the browser a fingerprint reader that always says yes."""
    tools = context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def listen(page: Page, complaints: list[str]) -> Page:
    """Collect what the page complains of: script errors, refused resources, broken answers."""

    def console(message: ConsoleMessage) -> None:
        # A refused form answers 4xx, which Chromium writes to the console; the test looks at those answers itself.
        is_refusal = re.match(r"Failed to load resource: .* status of 4\d\d", message.text)
        if message.type in {"error", "warning"} and not is_refusal:
            complaints.append(f"{page.url}: {message.text}")

    def response(answer: Response) -> None:
        if answer.status >= 500:
            complaints.append(f"{answer.url}: {answer.status}")

    page.on("console", console)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("response", response)
    return page


def fits(page: Page) -> bool:
    """Tell whether a phone shows the page without sideways scrolling."""
    before = page.viewport_size
    page.set_viewport_size({"width": 375, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    if before:
        page.set_viewport_size(before)
    return not wide
