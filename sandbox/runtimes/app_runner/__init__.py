"""App Runner, on a laptop: its API, and images that really run behind it."""
