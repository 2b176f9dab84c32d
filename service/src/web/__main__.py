"""`python -m web`: reads settings and build, configures logs, serves. Status 2 means wrong settings."""

import logging
import os
import sys

from web.app import Life, create_app
from web.build import read_build
from web.logs import configure
from web.server import serve
from web.settings import Fail, SettingsError, read

_log = logging.getLogger("web")


def main() -> int:
    """Runs the service; the exit status is 0 after a signal, 2 for wrong settings, 1 if told to fail."""
    configure("INFO")
    try:
        settings = read(os.environ)
    except SettingsError as problems:
        return _end(2, f"the settings are wrong: {problems}")
    if settings.fail is Fail.STARTUP:
        return _end(1, "WEB_FAIL=startup: this image fails on purpose")
    configure(settings.log_level)
    life, build = Life(), read_build()
    _log.info("starting version %s of commit %s", build.version, build.commit)
    serve(create_app(settings, build, life), settings, life)
    _log.info("stopped")
    return 0


def _end(status: int, why: str) -> int:
    _log.error(why)
    return status


if __name__ == "__main__":
    sys.exit(main())
