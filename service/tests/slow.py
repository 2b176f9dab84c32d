"""The service with one more page, which answers when a file appears: a request in flight, for as long as a test wants.

`python slow.py ENTERED GO`: touches ENTERED when the request is in the page, answers once GO exists.
"""

import asyncio
import os
import sys
from pathlib import Path

from web.app import Life, create_app
from web.build import Build
from web.server import serve
from web.settings import read

entered, go = map(Path, sys.argv[1:])
settings, life = read(os.environ), Life()
app = create_app(settings, Build(), life)


@app.get("/slow")
async def slow() -> str:
    entered.touch()
    while not go.exists():  # noqa: ASYNC110 - the other side is another process
        await asyncio.sleep(0.01)
    return "finished"


serve(app, settings, life)
