"""MastoWatch: watch a Mastodon server, judge accounts and posts by rules, file explained reports."""

__version__ = "0.1.0"
