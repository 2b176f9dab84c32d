"""Which version is active, told by a record alone: after a rollback, after a failure, where nobody can say."""

from dataclasses import replace
from datetime import timedelta

from releasectl.active import active
from releasectl.record import Deployment, Moment, Phase
from releasectl.release import Pin
from tests.twins import HERE, START, digest

A, B, CHILD = digest("A"), digest("B"), digest("child")


def made(number: int, pinned: str, phase: Phase = Phase.LIVE, *, version: str = "", serves: str = "") -> Deployment:
    """A deployment that ended `number` hours after the first."""
    return Deployment(
        id=f"20261121T1200{number:02}Z-3f9c1a", environment="staging", identity=pinned, commit="c" * 40, program="",
        settings="", services={"web": Pin(pinned, version, "", "")}, by="Bo", reason="Pin", holder=HERE,
        phases=(Moment(phase, START + timedelta(hours=number)),), serving={"web": serves} if serves else {},
        outputs={"services": {"web": {"url": "https://shop.example"}}},
    )  # fmt: skip


def test_nothing_is_active_where_nothing_was_applied() -> None:
    assert active(()) == ()
    assert active((made(1, A, Phase.REFUSED),)) == ()
    assert active((made(1, "", Phase.LIVE),)) == ()


def test_what_is_live_is_active_since_its_first_deployment() -> None:
    [one] = active((made(3, A), made(2, A, version="1.0.0"), made(1, B)))

    assert (one.digest, one.version, one.since, one.url) == (
        A,
        "1.0.0",
        START + timedelta(hours=2),
        "https://shop.example",
    )
    assert one.sentence == f"web 1.0.0 ({A[:19]}) is active since 2026-11-21 14:00 UTC"


def test_after_a_failure_it_is_what_still_serves_and_it_served_all_the_time() -> None:
    failed = made(2, B, Phase.FAILED, version="1.1.0", serves=A)
    [before] = active((failed, made(1, A, version="1.0.0")))
    [after] = active((made(3, A, version="1.0.0"), failed, made(1, A, version="1.0.0")))

    assert (before.version, before.since) == (after.version, after.since) == ("1.0.0", START + timedelta(hours=1))


def test_a_bad_version_that_served_ends_the_time_of_the_one_before() -> None:
    failed = made(2, B, Phase.FAILED, version="1.1.0", serves=B)
    [now] = active((failed, made(1, A)))
    [after] = active((made(3, A), failed, made(1, A)))

    assert (now.digest, now.version, now.since) == (B, "1.1.0", None)
    assert after.since == START + timedelta(hours=3)


def test_a_child_of_an_index_is_called_by_what_was_pinned() -> None:
    [one] = active((made(2, B, Phase.FAILED, serves=CHILD), made(1, A, version="1.0.0", serves=CHILD)))

    assert (one.digest, one.version) == (A, "1.0.0")


def test_a_refused_one_changed_nothing() -> None:
    [one] = active((made(2, B, Phase.REFUSED), made(1, A)))

    assert one.digest == A


def test_where_nobody_could_say_it_says_so_with_what_was_proven_last() -> None:
    [one] = active((made(2, B, Phase.ERRORED), made(1, A, version="1.0.0")))
    [never] = active((replace(made(1, B, Phase.ERRORED)),))

    assert one.sentence == "web: nobody can say what is active; proven last was 1.0.0"
    assert never.sentence == "web: nobody can say what is active"
