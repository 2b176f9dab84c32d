"""A bad release takes itself back, once, and only where its own proof failed."""

import json
import time
from typing import Any

from tests.e2e.conftest import Story

BROKEN = {"WEB_FAIL": "health"}


def test_a_first_release_that_fails_pages_and_changes_nothing(story: Story) -> None:
    bad = story.build_new("0.9.0", **BROKEN)
    assert story.bump(bad).code == 0
    main = story.head

    said = story.releasectl("reconcile", "staging")

    assert said.code == 1
    assert story.last()["phases"][-1]["phase"] == "failed"
    assert story.head == main, "there is nothing to go back to"
    assert story.files("releases/rejected") == {}
    assert story.status()["action"] == "stall"


def test_the_next_good_release_mends_it(story: Story) -> None:
    good = story.release_new("1.0.0")

    before = story.everything()
    again = story.releasectl("reconcile", "staging", "--json")

    assert story.service()["runs"] == good
    assert (again.code, again.json["action"]) == (0, "rest"), "a second pass changes nothing"
    assert story.everything() == before


def test_a_silent_rollback_is_recorded_as_failed_with_what_still_serves_and_the_last_log_lines(story: Story) -> None:
    good = story.service()["runs"]
    bad = story.build_new("1.0.1", **BROKEN)
    assert story.bump(bad).code == 0

    said = story.releasectl("reconcile", "staging")

    back, failed = story.history(count=2)
    folder = story.sandbox.clone / ".git" / "releasectl" / "staging" / failed["id"]
    assert json.loads((folder / "up.json").read_text())["ok"] is True, "the engine itself saw nothing wrong"
    assert said.code == 1
    assert [moment["phase"] for moment in failed["phases"]] == ["applying", "verifying", "failed"]
    assert failed["serving"] == {"web": good}
    assert "ROLLBACK_SUCCEEDED" in failed["phases"][-1]["message"]
    assert f"{good} still serves" in failed["phases"][-1]["message"]
    assert "WEB_FAIL" in "".join(failed["log"]["web"]) or "503" in "".join(failed["log"]["web"])
    assert (back["kind"], back["serving"]) == ("rollback", {"web": good}), "and it takes itself back"
    assert story.service()["runs"] == good
    assert list(story.files("releases/rejected")) == [f"staging-web-{bad.digest[7:19]}.yaml"]


def test_a_release_of_program_and_digest_that_fails_goes_back_whole_and_rejects_nothing(story: Story) -> None:
    good = story.release_new("1.0.2")  # something new got live since the last time: it may be taken back again
    program = story.last()["program"]
    changed = story.read("stacks/own.py") + b"\n# The program has changed.\n"
    story.commit({"stacks/own.py": changed}, "Another program")
    bad = story.build_new("1.1.0", **BROKEN)
    assert story.bump(bad, "--program").code == 0
    assert story.read("releases/staging.yaml").find(program.encode()) == -1, "the bump moved the program, too"

    said = story.releasectl("reconcile", "staging")

    assert said.code == 1
    pinned = story.read("releases/staging.yaml")
    assert good.encode() in pinned
    assert program.encode() in pinned
    assert not any(bad.digest in text for text in story.files("releases/rejected").values())
    assert (story.last()["kind"], story.last()["program"]) == ("rollback", program)


def test_an_alarm_that_was_red_before_does_not_condemn_a_release(story: Story) -> None:
    cloudwatch = story.client("cloudwatch")
    name = story.last()["outputs"]["services"]["web"]["alarms"][0]
    [known] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    takes = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    # What nobody measures is missing, and missing counts as bad: red until the alarm is as it was.
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="nobody", MetricName="nothing", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="breaching",
    )  # fmt: skip
    wait_for(cloudwatch, name, "ALARM")

    released = story.release_new("1.2.0")

    assert story.service()["runs"] == released
    assert story.last()["before"]["web"]["alarms"][name] == "ALARM"
    cloudwatch.put_metric_alarm(**{key: value for key, value in known.items() if key in takes})
    wait_for(cloudwatch, name, "OK")


def wait_for(cloudwatch: Any, name: str, state: str) -> None:
    end = time.monotonic() + 30
    while cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"] != state:
        assert time.monotonic() < end, f"{name} did not become {state}"
        time.sleep(0.2)


def test_a_probe_that_reaches_nothing_is_unknown_and_takes_nothing_back(story: Story) -> None:
    built = story.build_new("1.3.0")
    assert story.bump(built).code == 0
    main = story.head

    # Without the sandbox's authority every probe of the service ends in a TLS error.
    said = story.releasectl("reconcile", "staging", "--no-wait", SSL_CERT_FILE=None)

    assert said.code == 4
    assert story.last()["phases"][-1]["phase"] == "errored"
    assert story.last()["health"] == {"web": "unknown"}
    assert story.head == main
    assert not any(built.digest in text for text in story.files("releases/rejected").values())
    assert story.releasectl("reconcile", "staging", "--retry").code == 0, "asked again, it is proven"


def test_a_rollback_goes_through_a_freeze_and_a_hold(story: Story) -> None:
    policy = story.read("pipeline.yaml").decode()
    window = "[{start: 2020-01-01, end: 2099-12-31, zone: UTC, reason: for ever}]"
    frozen = policy.replace("    rollback: commit", f"    rollback: commit\n    freeze: {window}", 1)
    story.commit({"pipeline.yaml": frozen.encode()}, "Freeze staging")
    assert story.releasectl("hold", "staging", "--reason", "nobody touches this").code == 0
    waiting = story.build_new("1.4.0")
    assert story.bump(waiting).code == 0
    assert story.releasectl("reconcile", "staging").code == 4, "a bump waits"

    assert story.releasectl("rollback", "staging").code == 0
    said = story.releasectl("reconcile", "staging")

    assert said.code == 0, said.err
    assert story.service()["runs"] not in (waiting.digest, "")
    assert story.releasectl("hold", "staging", "--lift").code == 0
    story.commit({"pipeline.yaml": policy.encode()}, "Thaw staging")


def test_a_rollback_whose_own_target_fails_stalls_for_a_person(story: Story) -> None:
    older = story.release_new("1.5.0")
    target = story.last()["id"]
    serves = story.release_new("1.6.0")
    story.break_image("1.5.0")
    assert story.releasectl("rollback", "staging", "--to", target).code == 0
    main = story.head

    said = story.releasectl("reconcile", "staging")

    failed = story.last()
    assert said.code == 1
    assert (failed["kind"], failed["phases"][-1]["phase"]) == ("rollback", "failed")
    assert failed["services"]["web"]["digest"] == older
    assert failed["serving"] == {"web": serves}
    assert story.head == main, "never twice in a row without a person"
    assert story.status()["action"] == "stall"
