"""An administrator goes through the documents on one host: each command that a page shows is typed there.

The names that pages use for a server, a token and a package stand for those of this host: see NAMES and TYPED.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests
from mastodon_mock.db.models import Account, Status

from tests.demo.population import TOKEN
from tests.documented import Printed, Walk
from tests.host.suite import ANSWER_S, API, MASTODON_PORT
from tests.host.walk.settings import WEBHOOK_SECRET
from tests.mastodon_server import add_account
from tests.webhooks import PATH, admin_account_entity, delivery, signature

# An instance's address may begin with http:// on the machine itself alone.
NAMES = {
    "https://mastodon.example": f"http://127.0.0.1:{MASTODON_PORT}",
    "mastowatch_0.1.0_amd64.deb": "deb.deb",
    "mastowatch_0.1.1_amd64.deb": "later.deb",
}
# What is pasted where a page says so: by the beginning of the command that asks for it.
TYPED = {
    "mastowatch sign-in password": "a long way to the lake\n",
    "mastowatch setup": f"{TOKEN}\n",
    "(umask 077; cat >/etc/mastowatch/credentials/webhook_secret)": f"{WEBHOOK_SECRET}\n",
    "(umask 077; cat >/etc/mastowatch/credentials/access_token)": f"{TOKEN}\n",
}
ADMIN = "ada"


@pytest.fixture(scope="session")
def walk(suite) -> Walk:
    """Type commands as root in /root, and as ADMIN, who is in no group of ours yet, at home."""
    suite.host.run("useradd", "-m", ADMIN)

    def run(command: str, user: str, given: str) -> Printed:
        # The errors in their place among the rest, as on a terminal.
        place = "/root" if user == "root" else f"/home/{ADMIN}"
        script = f"exec 2>&1\ncd {place}\n{command}"
        done = suite.host.run(
            "/bin/bash", "-c", script, user="" if user == "root" else ADMIN, check=False, timeout=300, given=given
        )
        return Printed(done.status, done.out)

    # One whom a shipped rule reports, and who is on each town.
    known = next(one for one, kind in suite.people.planted.items() if kind == "casino-words")
    return Walk(run, {**NAMES, "casino@spam.example": acct(suite, known), "1000152": known}, TYPED)


@pytest.fixture(scope="session")
def send_webhook(suite) -> Callable[[], int]:
    """Send a webhook as Mastodon does; it returns the status of the answer."""

    def send() -> int:
        body = delivery("account.created", admin_account_entity(next(iter(suite.people.planted))))
        headers = signature(body, WEBHOOK_SECRET)
        return requests.post(f"{API}{PATH}", body, headers=headers, timeout=ANSWER_S).status_code

    return send


@pytest.fixture(scope="session")
def late(suite, walk) -> set[str]:
    """Make the copies of the page on backups; return who is reported after that, and forgotten by a restore."""
    walk.page("docs/howto/back-up-and-restore.md", "Back up")
    made = {_sign_up(suite, name) for name in ("spinner", "roller")}
    suite.wait_for_reports(made, 60, "who has come since is reported")
    return made


def _sign_up(suite, name: str) -> str:
    """Let somebody come to Mastodon who advertises a casino; return the account's id."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with suite.mastodon.sessions() as session:
        account = add_account(session, name, created_at=now)
        for text in ("Best online casino", "100 free spins, no deposit bonus"):
            html = f'<p>{text} <a href="https://spin.example/{name}">spin.example</a></p>'
            session.add(Status(account_id=account.id, content=html, text=text, created_at=now))
        session.commit()
        return str(account.id)


def acct(suite, account_id: str) -> str:
    """Return the name of an account of the mock, as MastoWatch shows it."""
    with suite.mastodon.sessions() as session:
        found = session.get(Account, int(account_id))
        return f"{found.username}@{found.domain}" if found.domain else found.username
