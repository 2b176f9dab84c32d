"""The running service: what it says about itself, how it logs, how it starts, fails and ends."""

import asyncio
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from web.app import Life, create_app
from web.build import Build
from web.settings import Settings

from service.tests.running import PATIENCE, SOURCE, service, until_it_answers

RELEASED = {"RELEASE_DIGEST": "sha256:abc", "RELEASE_ENVIRONMENT": "staging", "DRAIN_SECONDS": "0"}
SLOW = Path(__file__).with_name("slow.py")


def test_it_tells_what_it_is_and_where(tmp_path: Path) -> None:
    with service(tmp_path, RELEASED) as running:
        until_it_answers(running)

        assert running.get("/").json() == {"name": "web", "version": "unknown", "environment": "staging"}
        assert running.get("/version").json() == {
            "version": "unknown",
            "commit": "unknown",
            "digest": "sha256:abc",
            "environment": "staging",
        }
        assert running.get("/healthz").status_code == running.get("/readyz").status_code == 200


def test_it_is_not_ready_before_its_start_up_is_done() -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(Settings(), Build(), Life(started=False)))
        async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
            return await client.get("/readyz")

    answer = asyncio.run(ask())

    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "reason": "starting"})


def test_every_log_line_is_an_object_and_good_probes_stay_quiet(tmp_path: Path) -> None:
    with service(tmp_path, RELEASED) as running:
        until_it_answers(running)
        for path in ("/healthz", "/readyz", "/?token=hidden", "/nowhere%0A"):
            running.get(path)
        running.process.send_signal(signal.SIGTERM)
        running.ended()
        lines = running.lines()

    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    access = [(line["path"], line["status"]) for line in lines if "path" in line]
    assert access == [("/version", 200), ("/", 200), ("/nowhere\n", 404)]
    assert all(isinstance(line["ms"], float) for line in lines if "path" in line)
    assert "hidden" not in running.log.read_text("utf-8")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(tmp_path: Path, number: signal.Signals) -> None:
    with service(tmp_path, RELEASED) as running:
        until_it_answers(running)
        running.process.send_signal(number)

        assert running.ended() == 0
        assert running.lines()[-1]["message"] == "stopped"


def test_on_sigterm_it_stops_being_ready_and_finishes_what_is_in_flight(tmp_path: Path) -> None:
    entered, go = tmp_path / "entered", tmp_path / "go"
    answers: list[httpx.Response] = []
    variables = RELEASED | {"DRAIN_SECONDS": "60"}  # ended early by the second signal below
    with service(tmp_path, variables, (str(SLOW), str(entered), str(go))) as running:
        until_it_answers(running)
        request = threading.Thread(target=lambda: answers.append(running.get("/slow")))
        request.start()
        _until(entered.exists)

        running.process.send_signal(signal.SIGTERM)
        _until(lambda: running.get("/readyz").status_code == 503)
        assert running.get("/readyz").json()["reason"] == "shutting down"
        assert running.get("/healthz").status_code == 200

        running.process.send_signal(signal.SIGTERM)
        _until(lambda: _refused(running.url))
        assert running.process.poll() is None
        go.touch()
        request.join(PATIENCE)

        assert [answer.json() for answer in answers] == ["finished"]
        assert running.ended() == 0


def test_the_drain_time_ends_by_itself(tmp_path: Path) -> None:
    with service(tmp_path, RELEASED | {"DRAIN_SECONDS": "0.3"}) as running:
        until_it_answers(running)
        began = time.monotonic()
        running.process.send_signal(signal.SIGTERM)

        assert running.ended() == 0
        assert time.monotonic() - began >= 0.3


def test_wrong_settings_end_it_with_status_2_and_a_line_that_names_the_variable(tmp_path: Path) -> None:
    with service(tmp_path, {"PORT": "http"}) as running:
        assert running.ended() == 2
        assert "PORT is 'http'" in str(running.lines()[-1]["message"])


def test_told_to_fail_at_startup_it_ends_before_it_listens(tmp_path: Path) -> None:
    with service(tmp_path, {"WEB_FAIL": "startup"}) as running:
        assert running.ended() == 1
        assert "WEB_FAIL=startup" in str(running.lines()[-1]["message"])


def test_told_to_fail_its_health_it_still_says_what_it_is(tmp_path: Path) -> None:
    with service(tmp_path, RELEASED | {"WEB_FAIL": "health"}) as running:
        until_it_answers(running)

        for path in ("/healthz", "/readyz"):
            answer = running.get(path)
            assert (answer.status_code, "WEB_FAIL" in answer.json()["reason"]) == (503, True)
        assert running.get("/version").json()["digest"] == "sha256:abc"


def test_told_to_answer_with_errors_it_stays_alive(tmp_path: Path) -> None:
    with service(tmp_path, RELEASED | {"WEB_FAIL": "errors"}) as running:
        until_it_answers(running)

        assert running.get("/").status_code == 500
        assert running.get("/healthz").status_code == 200


@pytest.mark.parametrize(("version", "says"), [("1.4.0", "1.4.0"), ("", "unknown")], ids=["a version", "a branch"])
def test_the_build_is_read_from_the_file_beside_the_code(tmp_path: Path, version: str, says: str) -> None:
    package = shutil.copytree(SOURCE / "web", tmp_path / "web")
    (package / "build.json").write_text(f'{{"version": "{version}", "commit": "9a1b"}}')
    with service(tmp_path, RELEASED) as running:  # `python -m` looks in the working folder first
        until_it_answers(running)
        told = running.get("/version").json()

    assert (told["version"], told["commit"]) == (says, "9a1b")


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _refused(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False)
    except httpx.TransportError:
        return True
    return False
