"""What `mastowatch doctor` looks at, a file a subject: each gathers facts, and judges them in a function of its own."""
