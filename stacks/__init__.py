"""The Pulumi program: environment = f(release, settings)."""
