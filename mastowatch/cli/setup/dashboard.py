"""The fifth question: who may sign in to the dashboard."""

from __future__ import annotations

from mastowatch.cli.setup.begin import Setup
from mastowatch.cli.setup.secret_files import read_secret
from mastowatch.cli.setup.talking import Choice
from mastowatch.cli.sign_in import read_people, with_password
from mastowatch.errors import ConfigError
from mastowatch.web.dashboard.access import Role
from mastowatch.web.dashboard.access.passwords import LEAST, MOST, NAME

CLIENT, PASSWORDS = "oauth_client", "dashboard_passwords"
# Whoever sets it up has all rights on this machine anyway.
ROLE: Role = "switch"
_NO_NAME = "Take letters and digits, and _ . - between them."
_WAYS = (
    Choice("mastodon", "whoever has a role on your Mastodon server: its moderators and admins"),
    Choice("password", "by a name and a password"),
    Choice("none", "nobody signs in: who reaches it on this machine may look, and nobody can change anything"),
)


def ask(setup: Setup) -> None:
    """Plan who may sign in, and the address; raises ConfigError."""
    arguments, before = setup.arguments, setup.settings.dashboard_url
    if arguments.dashboard_url:
        setup.set("DASHBOARD_URL", arguments.dashboard_url)
    way = list(arguments.dashboard or ())
    if not way and setup.asks:
        way = _way(setup)
    if way[:1] == ["mastodon"]:
        setup.plan.register_dashboard = True
        if setup.asks and not arguments.dashboard_url:
            _ask_address(setup)
    elif way[:1] == ["password"]:
        _plan_password(setup, way[1] if len(way) > 1 else _name(setup))
    elif way:
        _plan_nobody(setup)
    elif setup.kept(CLIENT) is not None and (setup.settings.dashboard_url != before or _is_another(setup)):
        # The server sends people back only to the address that it was told; and another one knows nothing of it.
        setup.plan.register_dashboard = True


def _is_another(setup: Setup) -> bool:
    return setup.old_server not in ("", setup.server)


def _way(setup: Setup) -> list[str]:
    talk = setup.talk
    talk.head("5. The dashboard: who may sign in")
    set_up = setup.kept(CLIENT) is not None or setup.kept(PASSWORDS) is not None
    ways = (Choice("keep", "as it is now"), *_WAYS) if set_up or not setup.first else _WAYS
    chosen = talk.choose("Which", ways, ways[0].word)
    return [] if chosen == "keep" else [chosen]


def _ask_address(setup: Setup) -> None:
    usual = setup.settings.dashboard_url or f"http://{setup.settings.dashboard_bind}"
    setup.talk.explain(
        f"On {setup.settings.dashboard_bind} only this machine reaches it; from yours by a tunnel: ssh -L "
        "9181:127.0.0.1:9181 server. With a web server in front of it, give the address that people open, like "
        "https://mastodon.example/mastowatch."
    )
    while True:
        answer = setup.talk.ask("Where people open it", usual)
        if answer == usual:
            return
        try:
            setup.set("DASHBOARD_URL", answer)
        except ConfigError as error:
            setup.talk.say(str(error))
        else:
            return


def _name(setup: Setup) -> str:
    while True:
        name = setup.talk.ask("Name")
        if NAME.fullmatch(name):
            return name
        setup.talk.say(_NO_NAME)


def _plan_password(setup: Setup, name: str) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(f"--dashboard: {name!r} is no name. {_NO_NAME}")
    people = read_people(setup.secret_path(PASSWORDS))
    # Who may sign in already gets a new password, and no other rights.
    role = next((one.role for one in people if one.name == name), ROLE)
    setup.plan.secrets[PASSWORDS] = with_password(people, name, role, _password(setup, name))


def _password(setup: Setup, name: str) -> str:
    talk, file = setup.talk, setup.arguments.dashboard_password_file
    while True:
        asked = f"Password for {name}, {LEAST} characters or more"
        password = read_secret("--dashboard-password-file", file) if file else talk.hidden(asked, as_typed=True)
        if not LEAST <= len(password) <= MOST:
            wrong = f"a password must have {LEAST} to {MOST} characters"
        elif file or talk.hidden("Once more", as_typed=True) == password:
            return password
        else:
            wrong = "the two are not the same"
        if file:
            raise ConfigError(f"--dashboard-password-file: {wrong}; nothing was changed")
        talk.say(f"{wrong[0].upper()}{wrong[1:]}.")


def _plan_nobody(setup: Setup) -> None:
    for name in (CLIENT, PASSWORDS):
        if setup.kept(name) is not None:
            setup.plan.secrets[name] = None
