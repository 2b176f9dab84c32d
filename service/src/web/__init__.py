"""The web service that the release controller releases: small, honest about what it is, replaceable by yours."""
