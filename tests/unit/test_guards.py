"""The guards themselves: what they stop has to be stopped."""

import os
import socket
from pathlib import Path

import pytest

from tests.conftest import ForgotTwin


def test_a_unit_test_reaches_no_network() -> None:
    with socket.socket() as one:
        with pytest.raises(ForgotTwin, match=r"twin from tests/twins\.py"):
            one.connect(("127.0.0.1", 9))
        with pytest.raises(ForgotTwin):
            one.bind(("127.0.0.1", 0))
    with pytest.raises(ForgotTwin):
        socket.getaddrinfo("example.com", 443)


def test_a_unit_test_has_nobodys_home_and_nobodys_account() -> None:
    assert not Path("~/.aws").expanduser().exists()
    assert not Path("~/.pulumi").expanduser().exists()
    assert [name for name in os.environ if name.startswith(("AWS_", "PULUMI_", "GIT_"))] == []
