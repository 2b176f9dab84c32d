"""What a pull request hears of its release: what happened, what is active, why, what next; and nothing that acts."""

import re
from dataclasses import replace

from releasectl import outcome
from releasectl.active import Active
from releasectl.comment import LIMIT
from releasectl.errors import Finding
from releasectl.next_step import Action, Step
from releasectl.record import Deployment, Ended, Holder, Moment, Phase
from releasectl.release import Pin
from tests.twins import START, digest

A, B = digest("A"), digest("B")
HOSTILE = (
    "@team <script>alert(1)</script> [x](javascript:1) ![i](https://evil.example/p) <!-- x --> #1 `c` **b** | "
    "https://evil.example www.evil.example \u202e\x1b[31m ${{ secrets.X }}"
)
RUN = "https://github.example/team/shop/actions/runs/7/attempts/1"
STALL, REST = Step(Action.STALL, "nothing was live before"), Step(Action.REST, "it runs")
ACTIVE = (Active("web", A, "1.0.0", START, "https://shop.example"),)


def deployment(phase: Phase, *, version: str = "1.1.0", message: str = "why") -> Deployment:
    return Deployment(
        id="20261121T120001Z-3f9c1a", environment="staging", identity="i", commit="c" * 40, program="", settings="",
        services={"web": Pin(B, version, "", "")}, by="Bo", reason="Pin", holder=Holder("h", "b", 1, RUN),
        phases=(Moment(phase, START, message),),
    )  # fmt: skip


def told(one: Deployment, *, step: Step = STALL, back: str = "", active: tuple[Active, ...] = ACTIVE) -> str:
    return outcome.markdown(outcome.ended(one, active, step=step, back=back))


def test_a_failure_tells_why_what_took_it_back_and_what_is_active_now() -> None:
    finding = Finding("proof", "arn", "it answers 500", "Look at the log.")
    failed = replace(deployment(Phase.FAILED), findings=(finding,), log={"web": ("boom", "no database")})

    said = told(failed, step=REST, back="d" * 40)

    assert "### <code>staging</code>: failed, and was taken back by commit dddddddddddd" in said
    assert f"web 1.0.0 ({A[:7]}" in said.replace("&#58;", ":")
    assert "is active since 2026-11-21 12:00 UTC**, at <https://shop.example>".replace(":00", "&#58;00") in said
    assert "This release: web 1.1.0" in said
    assert "**proof**: it answers 500 <br>Look at the log." in said
    assert "- web: <code>no database</code>" in said
    assert "**Next:** Mend what is told above" in said
    assert f"<{RUN}>" in said


def test_each_end_has_its_words_and_what_comes_next() -> None:
    interrupted = replace(deployment(Phase.ERRORED), ended=Ended.BY_SIGNAL)

    assert "staging</code>: live\n" in told(deployment(Phase.LIVE))
    assert "Next" not in told(deployment(Phase.LIVE))
    assert "nothing was live before. See releasectl explain staging." in told(deployment(Phase.FAILED))
    assert "refused, nothing was changed" in told(deployment(Phase.REFUSED))
    assert "The next pass tries it again." in told(deployment(Phase.ERRORED))
    assert "nothing was live before" in told(replace(deployment(Phase.ERRORED), attempt=3))
    assert "interrupted" in told(interrupted)
    assert "nothing yet" in told(deployment(Phase.FAILED), active=())


def test_a_late_one_says_so() -> None:
    late = replace(deployment(Phase.LIVE), late="its merge at noon had started no deployment; a later pass found it")

    assert "- its merge at noon had started no deployment; a later pass found it" in told(late)


def test_what_waits_says_until_when_and_what_is_active_meanwhile() -> None:
    step = Step(Action.WAIT, "Ann holds staging: stock-taking", until=START)

    said = outcome.markdown(outcome.waits("staging", "web 1.1.0", ACTIVE, step))

    assert "staging</code>: waits" in said
    assert "- Ann holds staging&#58; stock-taking" in said
    assert "not before 2026-11-21 12&#58;00 UTC" in said
    assert "web 1.0.0" in said


def test_what_was_passed_by_names_what_came_instead() -> None:
    said = outcome.markdown(outcome.superseded(deployment(Phase.LIVE), ACTIVE))

    assert "staging</code>: superseded" in said
    assert "at commit cccccccccccc, before this was begun. That is live." in said


def test_words_of_others_do_nothing() -> None:
    finding = Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    failed = replace(
        deployment(Phase.FAILED, version=HOSTILE, message=HOSTILE), findings=(finding,), log={HOSTILE: (HOSTILE,)},
        holder=Holder("h", "b", 1, f"{RUN}> @team"),
    )  # fmt: skip
    active = (Active(HOSTILE, A, HOSTILE, None, "https://shop.example/><script>"),)
    refused = deployment(Phase.REFUSED, message=HOSTILE)

    said = told(failed, active=active, step=Step(Action.STALL, HOSTILE)) + told(refused)

    assert "script&#62;" in said, "it can be read"
    for part in ("@team", "<script", "](", "<!--", "https://evil", "www.evil", "`", "\x1b", "\u202e", "#1 ", "${{"):
        assert part not in said
    assert set(re.findall(r"</?(\w+)", said)) <= {"code", "br", "sub", "https"}


def test_however_long_it_fits_and_every_line_is_whole() -> None:
    lines = tuple("@" * 900 for _ in range(50))
    services = {f"service-{number}": lines for number in range(20)}
    failed = replace(deployment(Phase.FAILED), log=services)

    said = told(failed)

    assert len(said) < LIMIT + 100
    assert said.count("<code>") == said.count("</code>")
    assert "The rest is cut" in said
