"""The four processes: signals, sleep and systemd live here and nowhere else."""
