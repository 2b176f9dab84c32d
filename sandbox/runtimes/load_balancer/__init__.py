"""Load balancers, on a laptop: ministack keeps them, and addresses on loopback really answer for them."""
