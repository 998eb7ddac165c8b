"""The HTTP surface: the /jobs API, health, and the dashboard."""
