"""The release controller: what runs in an environment is a reviewed line in git."""
