"""A laptop-sized AWS: real APIs on loopback, real images that really run, no account and no Docker."""
