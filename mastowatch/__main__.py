"""``python -m mastowatch``."""

import sys

from mastowatch.cli import main

sys.exit(main())
