"""How fast inputs are drawn says something of the machine and nothing of the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("properties", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("properties")
