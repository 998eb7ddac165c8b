"""Serves the made-up server in a process of its own: ``python -m tests.demo.mock PORT FILE``.

Writes who was planted into FILE as JSON as soon as it listens.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from mastodon_mock.app import create_app
from mastodon_mock.config import DatabaseConfig, MastodonMockConfig, SeedConfig
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.demo.population import populate


def main(port: int, file: Path) -> None:
    database = DatabaseConfig(path=str(file.with_suffix(".sqlite")))
    app = create_app(
        MastodonMockConfig(seed=SeedConfig(), database=database, url_scheme="http", domain=f"127.0.0.1:{port}")
    )
    with app.state.session_factory() as session:
        population = populate(session, datetime.now(UTC))
        index(session)
    file.write_text(json.dumps(asdict(population)))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def index(session: Session) -> None:
    """Add the indexes that Mastodon has and the mock lacks: it would read all posts to count one's boosts."""
    for column in ("reblog_of_id", "in_reply_to_id"):
        session.execute(text(f"CREATE INDEX demo_{column} ON statuses ({column})"))
    session.execute(text("ANALYZE"))
    session.commit()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
