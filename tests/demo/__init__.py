"""``make demo``: the whole suite against a mock Mastodon full of planted spam."""
