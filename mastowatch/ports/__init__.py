"""What the world looks like to MastoWatch: protocols and frozen values, no code."""
