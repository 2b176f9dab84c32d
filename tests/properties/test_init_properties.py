"""Init may be run again: whatever the answers, the same ones twice change nothing, and every comment stays."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releasectl import answers as files_say
from releasectl import document
from releasectl.answers import Answers, Place
from releasectl.init import answered
from tests.unit.test_init import OWNERS, files

names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
words = st.from_regex(r"[A-Za-z0-9@./+-]{1,12}", fullmatch=True)
several = st.lists(words, max_size=3, unique=True).map(tuple)
places = st.builds(
    Place,
    account=st.from_regex(r"([0-9]{12})?", fullmatch=True),
    region=st.sampled_from(["", "eu-west-1", "us-east-1"]),
    runtimes=st.dictionaries(st.just(""), st.sampled_from(["app-runner", "ecs-express", "fargate"])),
    emails=several,
    sms=several,
    vpc=st.sampled_from(["", "vpc-0123"]),
    subnets=several,
    public_addresses=st.sampled_from([None, True, False]),
)
told = st.builds(
    Answers,
    services=st.lists(names, max_size=3, unique=True).map(tuple),
    repositories=st.dictionaries(st.just(""), st.sampled_from(["acme/shop", "acme/web.1"])),
    owners=several,
    places=st.dictionaries(st.sampled_from(["staging", "production"]), places),
)
endings = st.sampled_from([b"\n", b"\r\n"])


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(told, told, endings)
def test_the_same_answers_twice_change_nothing(first: Answers, second: Answers, ending: bytes) -> None:
    mine = {path: raw.replace(b"\n", ending) for path, raw in files(CODEOWNERS=OWNERS).items()}
    for answers in (first, second):
        mine |= answered(mine, answers).files
        assert answered(mine, answers).files == {}
    assert answered(mine, files_say.present(mine)).files == {}


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(told)
def test_comments_stay_and_every_file_still_reads(answers: Answers) -> None:
    mine = files(CODEOWNERS=OWNERS)
    changed = answered(mine, answers).files

    for path, raw in changed.items():
        comments = [line.partition(b"#")[2] for line in mine[path].splitlines() if b"#" in line]
        assert [line.partition(b"#")[2] for line in raw.splitlines() if b"#" in line] == comments
        if path.endswith(".yaml"):
            document.load(path, raw, every_scalar_is_text=path.startswith("releases/"))
