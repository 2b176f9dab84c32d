"""Twins of the outside, in memory, with faults that a test orders in words.

One twin for each protocol of `releasectl/world.py`; the contract tests run the same cases on a twin and on its real
edge. A `Scene` is a whole world of twins around one simulated cloud, in which an update that App Runner does not
like is a green one with the old image, as on AWS.
"""

from tests.twins.cloud import Cloud
from tests.twins.engine import Engine
from tests.twins.git import Desired
from tests.twins.outside import Clock, Notifier, Records, Registry
from tests.twins.project import (
    ACCOUNT,
    BOT,
    ELSEWHERE,
    HERE,
    IMAGE_PATH,
    PIPELINE,
    REGION,
    REPOSITORY,
    RUNTIME,
    SETTINGS,
    SHAPE,
    START,
    Died,
    Down,
    arn,
    digest,
    release_file,
    releases_file,
    repository,
    step,
    urn,
)
from tests.twins.scene import Scene

__all__ = [
    "ACCOUNT",
    "BOT",
    "ELSEWHERE",
    "HERE",
    "IMAGE_PATH",
    "PIPELINE",
    "REGION",
    "REPOSITORY",
    "RUNTIME",
    "SETTINGS",
    "SHAPE",
    "START",
    "Clock",
    "Cloud",
    "Desired",
    "Died",
    "Down",
    "Engine",
    "Notifier",
    "Records",
    "Registry",
    "Scene",
    "arn",
    "digest",
    "release_file",
    "releases_file",
    "repository",
    "step",
    "urn",
]
