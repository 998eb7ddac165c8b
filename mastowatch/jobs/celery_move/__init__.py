"""Moves the work that a Celery installation left in Redis to our queues: none lost, none done twice."""
