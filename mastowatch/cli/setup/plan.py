"""What is to be done, gathered question by question: nothing of it is done before all of it is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from mastowatch.ports.sign_in import Application


@dataclass
class Plan:
    """``values`` go into the settings, by NAME; ``secrets`` into files of their own, None for none.

    ``private_redis``: make the private Redis. ``register_dashboard``: have the Mastodon server sign people in to the
    dashboard. ``workers`` and ``stream``: None leaves them as they are. ``hints`` are said at the
    end. ``tokens`` were given to us while we asked, each by the application that can give it back.
    """

    values: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str | None] = field(default_factory=dict)
    private_redis: bool = False
    register_dashboard: bool = False
    workers: int | None = None
    stream: bool | None = None
    tokens: dict[str, Application] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)

    def give_back(self, *, but: str | None) -> None:
        """Revoke the tokens that nobody will use: all, or all but one."""
        for token, application in self.tokens.items():
            if token != but:
                application.give_back(token)
