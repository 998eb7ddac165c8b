"""RQ made lossless: atomic take, owned locks, recovery. Knows nothing of Mastodon."""
