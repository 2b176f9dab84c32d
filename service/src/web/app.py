"""The service's pages: `/`, `/healthz`, `/readyz` and `/version`.

Comes in: settings, the build, and the life of the process that the server moves on. Goes out: a FastAPI
application. It reads no environment, opens no socket and remembers nothing between two requests.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from web.build import Build
from web.logs import AccessLog
from web.settings import Fail, Settings

_ON_PURPOSE = "it fails on purpose, as the variable WEB_FAIL says"


@dataclass
class Life:
    """Where the process is in its life; the only thing here that changes."""

    started: bool = False
    stopping: bool = False


def create_app(settings: Settings, build: Build, life: Life) -> FastAPI:
    """The application. `life.started` becomes true when its start-up is done."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        life.started = True
        yield

    # The interactive pages load scripts from other hosts, so only /openapi.json is served.
    app = FastAPI(title="web", version=build.version, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(AccessLog)
    broken = settings.fail is Fail.HEALTH

    @app.get("/")
    async def home() -> JSONResponse:
        """What this is and where."""
        if settings.fail is Fail.ERRORS:
            return JSONResponse({"error": _ON_PURPOSE}, 500)
        return JSONResponse({"name": "web", "version": build.version, "environment": settings.environment})

    @app.get("/healthz")
    async def alive() -> JSONResponse:
        """Whether the process works; a restart is the cure if not."""
        return _answer("alive", not broken, _ON_PURPOSE)

    @app.get("/readyz")
    async def ready() -> JSONResponse:
        """Whether to send requests here: not before start-up is done, not while shutting down."""
        reason = _ON_PURPOSE if broken else "shutting down" if life.stopping else "starting"
        return _answer("ready", life.started and not life.stopping and not broken, reason)

    @app.get("/version")
    async def version() -> dict[str, str]:
        """The proof of release: version and commit out of the image, digest and environment from the stack."""
        return asdict(build) | {"digest": settings.digest, "environment": settings.environment}

    return app


def _answer(word: str, well: bool, reason: str) -> JSONResponse:
    return JSONResponse({"status": word}) if well else JSONResponse({"status": f"not {word}", "reason": reason}, 503)
