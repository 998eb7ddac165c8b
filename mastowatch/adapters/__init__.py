"""The world: Mastodon, Redis and rule files, and an in-memory one for tests and rehearsals."""
