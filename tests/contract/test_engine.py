"""The engine, the same on the twin and on the real one with a program that needs no cloud; and how it says no.

The real one: worker, Automation API, `pulumi` and a folder as the state's backend.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from releasectl.apply import Problem
from releasectl.edges.engine import NoEngine
from releasectl.edges.engine_words import EngineFailed, ProgramFailed, ProtectedResource, WrongPassphrase, no_plan
from releasectl.edges.pulumi import Engine, TookTooLong, WorkerGone
from releasectl.errors import ControllerError, Interrupted, Retry
from releasectl.locks import StackLocked
from releasectl.target import release_path
from releasectl.world import Engine as EnginePort
from releasectl.world import Session
from sandbox.remote import SALT
from tests.contract.waiting import until
from tests.twins import REGION, SETTINGS, Cloud, digest, release_file
from tests.twins import Engine as Twin

PROJECT = "name: release-controller\nruntime: python\nmain: stacks\n"
# Exports what it is told to run; the rest of each test's program is added to it.
PROGRAM = """\
import os, pathlib, sys, time
import pulumi
root = pathlib.Path(__file__).resolve().parent.parent
pinned = (root / "releases/staging.yaml").read_text().split('digest: "')[1].split('"')[0]
pulumi.export("environment", pulumi.get_stack())
pulumi.export("services", {"web": {"digest": pinned}})
"""
SLOW = """
(root / "running").touch()
while not (root / "go").exists():
    time.sleep(0.02)
"""
# A controller that applies, in a process of its own that can be killed.
CONTROLLER = """
import sys
from pathlib import Path
from releasectl.edges.pulumi import Engine
with Engine().open(Path(sys.argv[1]), "staging", message="killed", variables={}) as session:
    session.up()
"""


@dataclass(frozen=True)
class Place:
    """Where the real engine works: a state, and one work folder for each deployment."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def locks(self) -> list[Path]:
        return list((self.state / ".pulumi/locks").rglob("*.json"))

    def folder(self, name: str = "first", *, program: str = "", pinned: str = "A") -> Path:
        """A work folder with its checkout, as the core prepares it."""
        folder = self.root / name
        files = {
            "Pulumi.yaml": PROJECT,
            "Pulumi.staging.yaml": f"{SETTINGS.decode()}encryptionsalt: {SALT}\n",
            release_path("staging"): release_file("b" * 40, digest(pinned)).decode(),
            "stacks/__main__.py": PROGRAM + program,
        }
        for path, text in files.items():
            (folder / "checkout" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "checkout" / path).write_text(text)
        return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A state of our own, and the passphrase of the settings' salt."""
    for name in list(os.environ):
        if name.startswith("PULUMI_"):
            monkeypatch.delenv(name)
    place = Place(tmp_path)
    place.state.mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", place.state.as_uri())
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "sandbox")
    monkeypatch.setenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    return place


def opened(engine: EnginePort, folder: Path, deadline: float = 300.0) -> AbstractContextManager[Session]:
    return engine.open(
        folder,
        "staging",
        message="20261121T120000Z-000001",
        variables={"AWS_REGION": REGION},
        secrets_provider="",
        deadline=deadline,
    )


# ---- the contract ----


@dataclass(frozen=True)
class Case:
    """An engine, and work folders for it."""

    engine: EnginePort
    folder: Callable[[str, str], Path]


@pytest.fixture(params=["twin", "pulumi"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param == "pulumi":
        place: Place = request.getfixturevalue("place")
        return Case(Engine(), lambda name, pinned: place.folder(name, pinned=pinned))

    def folder(name: str, pinned: str) -> Path:
        path = tmp_path / name / "checkout" / release_path("staging")
        path.parent.mkdir(parents=True)
        path.write_bytes(release_file("b" * 40, digest(pinned)))
        return tmp_path / name

    return Case(Twin(Cloud()), folder)


class TestEngine:
    """The contract."""

    def test_a_preview_and_an_update_in_one_session_and_what_a_later_controller_finds_of_them(self, case: Case) -> None:
        folder = case.folder("first", "A")
        with opened(case.engine, folder) as session:
            planned = session.preview()
            before = case.engine.result(folder, "up")
            result = session.up()

        assert planned.outputs["environment"] == result.plan.outputs["environment"] == "staging"
        assert (before, result.problems) == (None, ())
        assert case.engine.result(folder, "up") == result
        assert (folder / "up.json").exists()
        assert not case.engine.is_running(folder)

        again = case.folder("second", "B")
        with opened(case.engine, again) as session:
            session.preview()
            services = session.up().plan.outputs["services"]

        assert isinstance(services, dict)
        assert services["web"]["digest"] == digest("B")

    def test_a_look_for_drift_and_an_update_with_a_refresh_where_nothing_differs(self, case: Case) -> None:
        with opened(case.engine, case.folder("first", "A")) as session:
            session.up()
        folder = case.folder("second", "A")
        with opened(case.engine, folder) as session:
            found = session.drift()
            result = session.up(refresh=True)

        assert (found.changed, found.repair.changes, found.problems) == ((), (), ())
        assert found.repair.outputs["environment"] == "staging"
        assert (result.plan.changes, result.problems) == ((), ())
        assert case.engine.result(folder, "up") == result

    def test_where_nobody_ever_worked_nothing_runs_and_nothing_is_left(self, case: Case, tmp_path: Path) -> None:
        assert not case.engine.is_running(tmp_path / "nowhere")
        assert case.engine.result(tmp_path / "nowhere", "up") is None


# ---- how the real one says no ----


def failure(folder: Path, word: str = "preview") -> ControllerError:
    """What an operation raises; a later controller reads the same from the folder."""
    with pytest.raises(ControllerError) as caught, opened(Engine(), folder) as session:
        session.preview() if word == "preview" else session.up()
    return caught.value


# A component stands for the resource of a cloud: the engine guards both alike.
KEPT = """
class Kept(pulumi.ComponentResource):
    def __init__(self, kind, name):
        super().__init__(kind, name, opts=pulumi.ResourceOptions(protect=True))
"""


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        pytest.param("aws:apprunner/service:Service", "Write `leaving: app-runner`", id="App Runner"),
        pytest.param("aws:ecs/expressGatewayService:ExpressGatewayService", "`leaving: ecs-express`", id="Express"),
        pytest.param("aws:ecs/service:Service", "`leaving: fargate`", id="Fargate"),
        pytest.param("aws:ecr/repository:Repository", "Lift its protection in the program", id="anything else"),
    ],
)
def test_a_plan_that_deletes_what_is_protected_says_how_to_go_on(place: Place, kind: str, remedy: str) -> None:
    with opened(Engine(), place.folder("kept", program=f"{KEPT}Kept('{kind}', 'web')")) as session:
        session.up()
    error = failure(place.folder("gone", program=KEPT))

    assert isinstance(error, ProtectedResource)
    assert error.message == f"previewing: {kind} web would be lost, and it is protected"
    assert remedy in error.remedy
    assert ("in Pulumi.staging.yaml" in error.remedy) == ("leaving" in remedy)
    assert error.retry is Retry.AFTER_CHANGE


def test_a_service_that_goes_with_its_images_is_no_move_to_another_runtime(place: Place) -> None:
    kinds = ("aws:apprunner/service:Service", "aws:ecr/repository:Repository")
    made = "".join(f"Kept('{kind}', 'web')\n" for kind in kinds)
    with opened(Engine(), place.folder("kept", program=KEPT + made)) as session:
        session.up()
    error = failure(place.folder("gone", program=KEPT))

    assert isinstance(error, ProtectedResource)
    assert [kind in error.message for kind in kinds] == [True, True]
    assert error.remedy.startswith("Lift its protection")


def test_a_plan_that_replaces_what_is_protected_is_no_move_to_another_runtime() -> None:
    words = 'unable to replace resource "x"\nas it is currently marked for protection. To unprotect the resource'
    error = no_plan((Problem("urn:pulumi:staging::p::a$aws:apprunner/service:Service::web", words),))

    assert isinstance(error, ProtectedResource)
    assert error.remedy.startswith("Lift its protection")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        pytest.param("raise ValueError('no settings for web')", "no settings for web", id="an exception"),
        pytest.param(
            "raise pulumi.RunError('no settings for web\\nAdd some.')", "no settings for web", id="a RunError"
        ),
        pytest.param("sys.exit('no settings for web')", "no settings for web", id="sys.exit"),
        pytest.param("{}['no settings for web']", "KeyError: 'no settings for web'", id="words that say little alone"),
        pytest.param("raise AssertionError", "AssertionError", id="no words"),
    ],
)
def test_a_program_that_raises_is_told_in_its_own_words(place: Place, program: str, words: str) -> None:
    error = failure(place.folder(program=f"\n{program}\n"))

    assert type(error) is ProgramFailed
    assert error.message.startswith("running the program: ")
    assert words in error.message
    assert "Traceback" not in error.message
    assert ("Add some." in error.message) == ("Add some." in program)
    assert error.retry is Retry.AFTER_CHANGE


def test_an_update_whose_program_raises_leaves_its_error_for_a_later_controller(place: Place) -> None:
    folder = place.folder(program="\nraise ValueError('no')\n")
    failure(folder, "up")

    with pytest.raises(ProgramFailed, match="no"):
        Engine().result(folder, "up")


@pytest.mark.parametrize(
    ("passphrase", "words"),
    [("wrong", "incorrect passphrase"), (None, "passphrase must be set")],
    ids=["wrong", "missing"],
)
def test_a_wrong_passphrase_is_told_with_the_variable_to_set(
    place: Place, monkeypatch: pytest.MonkeyPatch, passphrase: str | None, words: str
) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    if passphrase:
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", passphrase)
    error = failure(place.folder())

    assert type(error) is WrongPassphrase
    assert words in error.message
    assert "PULUMI_CONFIG_PASSPHRASE" in error.remedy


def test_a_locked_stack_names_who_holds_it(place: Place) -> None:
    with opened(Engine(), place.folder()) as session:
        session.up()
    lock = place.state / ".pulumi/locks/organization/release-controller/staging/11111111-2222.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    holder = {"pid": 4711, "username": "ann", "hostname": "laptop", "timestamp": "2026-11-21T00:00:28.809454185Z"}
    lock.write_text(json.dumps(holder))
    error = failure(place.folder("second"), "up")

    assert type(error) is StackLocked
    assert "ann@laptop (pid 4711) at 2026-11-21T00:00:28Z" in error.message
    assert (error.retry, lock.exists()) == (Retry.BACKOFF, True)


def test_an_update_that_has_no_time_is_stopped_however_young_its_engine_is(place: Place) -> None:
    folder = place.folder(program="\nimport time\ntime.sleep(4)\n")  # else a busy machine looks when it is over
    with opened(Engine(), folder, deadline=0.0) as session, pytest.raises(TookTooLong, match="within 0 s"):
        session.up()

    with pytest.raises(Interrupted):
        Engine().result(folder, "up")
    assert place.locks == []


def test_a_backend_that_is_not_there_is_told_in_the_engines_words(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", (place.root / "nowhere").as_uri())
    error = failure(place.folder())

    assert type(error) is EngineFailed
    assert "nowhere" in error.message


def test_a_worker_that_cannot_even_start_is_told_with_its_last_words(place: Place) -> None:
    folder = place.folder()
    (folder / "checkout/pulumi.py").write_text("raise SystemExit('not the pulumi you wanted')")
    (folder / "lock").mkdir()  # where a worker would put its lock
    error = failure(folder)

    assert type(error) is WorkerGone
    assert "IsADirectoryError" in error.message
    assert "worker.log" in error.remedy


def test_without_an_engine_the_remedy_is_to_get_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(place.root))
    monkeypatch.setenv("HOME", str(place.root))

    with pytest.raises(NoEngine, match="neither on PATH") as caught, opened(Engine(), place.folder()):
        pass
    assert "make setup" in caught.value.remedy


# ---- what must never happen ----


@pytest.fixture
def killed(place: Place) -> Iterator[Path]:
    """A work folder whose controller was killed in the middle of an update; its program waits for `go`."""
    folder = place.folder(program=SLOW)
    controller = subprocess.Popen([sys.executable, "-c", CONTROLLER, str(folder)])
    until((folder / "checkout/running").exists)
    assert Engine().is_running(folder)
    assert place.locks
    controller.kill()
    controller.wait()
    yield folder
    (folder / "checkout/go").touch()  # nothing of ours may outlive the test, however it ended
    until(lambda: not Engine().is_running(folder))


def test_a_worker_outlives_its_controller_finishes_and_leaves_everything_clean(place: Place, killed: Path) -> None:
    engine = Engine()
    assert engine.is_running(killed)
    assert engine.result(killed, "up") is None

    (killed / "checkout/go").touch()
    until(lambda: not engine.is_running(killed))
    result = engine.result(killed, "up")
    (history,) = (place.state / ".pulumi/history").rglob("*.history.json")

    assert result is not None
    assert result.plan.outputs["environment"] == "staging"
    assert place.locks == []
    assert json.loads(history.read_text())["result"] == "succeeded"

    with opened(engine, place.folder("next")) as session:
        assert session.preview().changes == ()


def test_secrets_reach_no_file_of_the_work_folder(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", "hunter2-in-clear")
    # The engine tells secret outputs in clear, in debug messages that nobody asked for.
    folder = place.folder(program="\npulumi.export('leak', pulumi.Output.secret(os.environ['THE_SECRET']))\n")
    with opened(Engine(), folder) as session:
        planned, result = session.preview(), session.up()
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert planned.outputs["leak"] == result.plan.outputs["leak"] == "[secret]"
    assert {"job.json", "up.json", "preview.json", "engine.out", "worker.log"} <= {path.name for path in files}
    assert [path for path, raw in files.items() if b"hunter2" in raw] == []


def test_what_a_person_set_wins_over_the_settings_and_the_settings_over_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE", "person")
    program = "\n".join(f"pulumi.export('{name}', os.environ.get('{name}'))" for name in ("ONE", "TWO", "THREE"))
    variables = {"ONE": "settings", "TWO": "settings", "THREE": ""}
    with Engine().open(place.folder(program=program), "staging", message="m", variables=variables) as session:
        outputs = session.preview().outputs

    assert (outputs["ONE"], outputs["TWO"], outputs.get("THREE")) == ("person", "settings", None)
