"""The runtimes that AWS runs images on, on a laptop: App Runner and ECS in one process, at one address."""
