"""ECS on Fargate, on a laptop: its API, and tasks that really run behind it."""
