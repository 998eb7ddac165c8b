"""Kills workers and Redis at random moments, under either engine, and keeps a ledger of what that cost."""
