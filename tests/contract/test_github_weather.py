"""Who we are on GitHub and what its bad days do: told in our words, with patience, and never with a token."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from releasectl.edges.again import PATIENCE
from releasectl.edges.github import Github
from releasectl.edges.github.account import Account, repository_of
from releasectl.edges.github.errors import GithubDenied, GithubFailed, GithubThrottled, GithubUnreachable, NoGithub
from releasectl.errors import ControllerError
from releasectl.forge import Actor
from sandbox.process import free_port
from tests.contract.answers import Answer, serving
from tests.contract.github import Place, github_at


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv(PATIENCE, "3")
    with github_at(tmp_path) as place:
        yield place


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL  # as GitHub hands it out
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def public(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


# ---- who we are ----


def test_a_workflow_s_token_is_its_bot(place: Place) -> None:
    assert place.edge.me() == Actor("github-actions[bot]", 41898282)


def test_an_app_acts_as_its_installation(place: Place, key: rsa.RSAPrivateKey) -> None:
    place.desk.install("77", "release-bot", public(key))
    app = Github(Account.read(place.environment | {"RELEASECTL_APP_ID": "77", "RELEASECTL_APP_KEY": pem(key)}))

    new = app.branches.commit("main", "By the App", {"x": b""}, expected=place.main)

    assert app.me().login == "release-bot[bot]"
    assert place.github.repository.about(new).author == "release-bot[bot]"
    assert place.asked("POST", "/access_tokens") == 1, "one token for both questions"
    app.wire.close()


def test_an_app_s_key_may_be_a_file_and_its_id_a_client_id(
    place: Place, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    file.write_text(pem(key))
    place.desk.install("Iv23li", "release-bot", public(key))
    place.github.apps["Iv23li"] = place.github.apps["Iv23li"].__class__("77", "release-bot", public(key))
    app = Github(Account.read(place.environment | {"RELEASECTL_APP_ID": "Iv23li", "RELEASECTL_APP_KEY": str(file)}))

    assert app.branches.tip("main") == place.main
    app.wire.close()


@pytest.mark.parametrize("what", ["another key", "no such App", "not a key"])
def test_an_app_that_github_does_not_know_is_denied(place: Place, key: rsa.RSAPrivateKey, what: str) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    place.desk.install("78" if what == "no such App" else "77", "release-bot", public(other))
    secret = "-----BEGIN RSA PRIVATE KEY-----\nnot\n-----END RSA PRIVATE KEY-----" if what == "not a key" else pem(key)
    app = Github(Account.read(place.environment | {"RELEASECTL_APP_ID": "77", "RELEASECTL_APP_KEY": secret}))

    with pytest.raises(GithubDenied) as caught:
        app.branches.tip("main")
    assert "PRIVATE KEY" not in caught.value.message


def test_an_app_s_token_that_cannot_be_fetched_for_a_moment_is_fetched_again(
    place: Place, key: rsa.RSAPrivateKey
) -> None:
    place.desk.install("79", "release-bot", public(key))
    app = Github(Account.read(place.environment | {"RELEASECTL_APP_ID": "79", "RELEASECTL_APP_KEY": pem(key)}))
    place.desk.order("broken", path="/installation$")
    place.desk.order("broken", path="/access_tokens$")

    assert app.branches.tip("main") == place.main
    app.wire.close()


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/team/shop", "https://github.com/team/shop.git", "git@github.com:team/shop.git",
        "ssh://git@github.com/team/shop.git", "https://x-access-token:secret@github.com/team/shop/",
    ],
)  # fmt: skip
def test_a_remote_says_which_repository_it_is(remote: str) -> None:
    assert repository_of(remote) == "team/shop"
    assert Account.read({"GH_TOKEN": "t"}, remote).repository == "team/shop"


@pytest.mark.parametrize(
    "remote",
    [
        "", "/srv/remote.git", "https://github.com.evil.example/team/shop", "https://evil.example/github.com/team/shop",
        "git@evil.example:team/shop.git", "file:///team/shop", "https://github.com/team", "https://github.com/a/b/c",
        "https://github.com/../../etc", "https://github.com/team/..",
    ],
)  # fmt: skip
def test_a_remote_elsewhere_says_nothing(remote: str) -> None:
    with pytest.raises(NoGithub, match="GITHUB_REPOSITORY"):
        Account.read({"GITHUB_TOKEN": "t"}, remote)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "the token is not set"),
        ({"GITHUB_TOKEN": "se\ncret"}, "none that could be sent"),
        ({"GITHUB_TOKEN": "sécret"}, "none that could be sent"),
        ({"RELEASECTL_APP_ID": "7"}, "only one of"),
        ({"RELEASECTL_APP_ID": "7", "RELEASECTL_APP_KEY": "/no/secret/file"}, "names no readable file"),
    ],
)
def test_without_a_way_to_sign_in_nobody_is_asked(variables: dict[str, str], words: str) -> None:
    with pytest.raises(NoGithub, match=words) as caught:
        Account.read(variables | {"GITHUB_REPOSITORY": "team/shop"})
    assert "cret" not in caught.value.message


def test_a_secret_is_in_no_repr(key: rsa.RSAPrivateKey) -> None:
    given = {"GITHUB_REPOSITORY": "team/shop", "GITHUB_TOKEN": "hidden"}
    app = Account.read(given | {"RELEASECTL_APP_ID": "7", "RELEASECTL_APP_KEY": pem(key)})

    assert "hidden" not in repr(Github(Account.read(given)))
    assert "PRIVATE" not in repr(app)


def test_enterprise_servers_are_asked_at_their_own_addresses() -> None:
    own = Account.read(
        {"GITHUB_SERVER_URL": "https://git.corp.example/", "GITHUB_TOKEN": "t"}, "git@git.corp.example:a/b"
    )

    assert (own.api, own.uploads) == ("https://git.corp.example/api/v3", "https://git.corp.example/api/uploads")
    usual = Account.read({"GITHUB_TOKEN": "t"}, "git@github.com:a/b")
    assert (usual.api, usual.uploads) == ("https://api.github.com", "https://uploads.github.com")


# ---- bad days ----


@pytest.mark.parametrize("fault", ["broken", "broken-after", "cut", "lost", "primary", "secondary"])
def test_a_bad_moment_passes(place: Place, fault: str) -> None:
    place.desk.order(fault, times=2)

    assert place.edge.branches.tip("main") == place.main


def test_an_answer_that_takes_too_long_is_asked_for_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "1")  # which is also how long one answer may take
    place.desk.order("slow", seconds=1.2)

    assert place.edge.branches.tip("main") == place.main


@pytest.mark.parametrize(("fault", "asked"), [("primary", 1), ("secondary", 1), ("secondary-mute", 1)])
def test_a_limit_that_asks_for_more_time_than_we_have_is_told_at_once(place: Place, fault: str, asked: int) -> None:
    place.desk.order(fault, seconds=3600, times=9)
    before, begun = len(place.github.asked), time.monotonic()

    with pytest.raises(GithubThrottled):
        place.edge.branches.tip("main")
    assert len(place.github.asked) - before == asked
    assert time.monotonic() - begun < 2


def test_the_time_that_a_limit_asks_for_is_waited(place: Place) -> None:
    place.desk.order("secondary", seconds=1)
    begun = time.monotonic()

    place.edge.branches.tip("main")

    assert time.monotonic() - begun >= 1


def test_a_server_that_stays_away_is_told_with_how_long_it_was_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PATIENCE, "0.5")
    place.desk.order("broken", times=99)

    with pytest.raises(GithubUnreachable, match=r"status 502: Server Error \(asked \d+ times"):
        place.edge.branches.tip("main")
    nowhere = Github(Account.read(place.environment | {"GITHUB_API_URL": f"http://127.0.0.1:{free_port()}"}))
    with pytest.raises(GithubUnreachable, match="unreachable"):
        nowhere.branches.tip("main")


def test_a_write_while_everything_breaks_is_not_repeated_without_a_look(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PATIENCE, "1")
    number = place.pull()
    place.desk.order("lost", method="POST", path="/comments$")
    place.desk.order("broken", method="GET", path="/comments$", times=99)

    with pytest.raises(GithubUnreachable):
        place.edge.comments.put(number, "<!-- m -->", "text")
    assert place.asked("POST", "/comments") <= 1


@pytest.mark.parametrize("fault", ["garbled"])
@pytest.mark.parametrize("what", ["a ref", "a page", "GraphQL"])
def test_an_answer_that_is_none_is_told(place: Place, fault: str, what: str) -> None:
    place.desk.order(fault)

    with pytest.raises(GithubFailed, match="the answer is none"):
        {
            "a ref": lambda: place.edge.branches.tip("main"),
            "a page": lambda: place.edge.pulls.find("x"),
            "GraphQL": place.edge.me,
        }[what]()


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'{"object": {"sha": 7}}', b"\xff", b'{"object": []}'])
def test_an_answer_of_another_shape_is_told_with_where(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "0")
    with serving(lambda _asked: Answer(200, body)) as server:
        given = {"GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "team/shop", "GITHUB_TOKEN": "t"}
        with pytest.raises(GithubFailed, match="the answer is none"):
            Github(Account.read(given)).branches.tip("main")


def test_a_token_that_nobody_knows_is_denied_and_never_told(place: Place) -> None:
    with pytest.raises(GithubDenied, match="status 401: Bad credentials") as caught:
        place.as_token("ghp_wrong-and-secret").branches.tip("main")
    assert "secret" not in caught.value.message + caught.value.remedy


def test_the_token_goes_to_our_server_alone() -> None:
    with serving(lambda _asked: Answer(200, b"{}")) as elsewhere:
        moved = Answer(301, b"{}", {"Location": f"{elsewhere.url}/repos/team/new"})
        following = Answer(200, b"[]", {"Link": f'<{elsewhere.url}/pulls?page=2>; rel="prev"'})
        with serving(lambda asked: following if "/pulls" in asked.path else moved) as server:
            given = {"GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "team/shop", "GITHUB_TOKEN": "t"}
            github = Github(Account.read(given))

            with pytest.raises(GithubFailed, match="moved elsewhere"):
                github.branches.tip("main")
            assert github.pulls.find("x") is None
        assert elsewhere.asked == []


@pytest.mark.parametrize("branch", ["../../user", "a?b=c", "a#b", "a b", "%2e%2e/x", "ä"])
def test_a_strange_name_of_a_branch_asks_for_that_branch(branch: str) -> None:
    with serving(lambda _asked: Answer(404, b"{}")) as server:
        given = {"GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "team/shop", "GITHUB_TOKEN": "t"}
        try:
            assert Github(Account.read(given)).branches.tip(branch) == ""
        except ControllerError:
            assert server.asked == []
        assert all(one.path.startswith("/repos/team/shop/git/ref/heads/") for one in server.asked)
