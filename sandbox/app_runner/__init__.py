"""An App Runner for a laptop: the real API, real images that really run, the same way to roll back."""
