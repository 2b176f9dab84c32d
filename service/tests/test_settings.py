"""Settings come from variables alone, and everything that is wrong is said at once."""

import pytest
from web.settings import Fail, Settings, SettingsError, read


def test_without_variables_the_service_stays_on_loopback_at_port_8000() -> None:
    assert read({}) == Settings(host="127.0.0.1", port=8000, log_level="INFO", fail=Fail.NEVER)


def test_an_empty_variable_means_the_default() -> None:
    assert read({"PORT": "", "LOG_LEVEL": "", "DRAIN_SECONDS": "", "WEB_FAIL": "", "HOST": ""}) == Settings()


def test_variables_fill_every_setting() -> None:
    given = {
        "HOST": "0.0.0.0",  # noqa: S104 - what the container image sets
        "PORT": "80",
        "LOG_LEVEL": "DEBUG",
        "DRAIN_SECONDS": "0.5",
        "RELEASE_DIGEST": "sha256:1",
        "RELEASE_ENVIRONMENT": "staging",
        "WEB_FAIL": "health",
    }

    settings = read(given)

    assert settings == Settings(given["HOST"], 80, "DEBUG", 0.5, "sha256:1", "staging", Fail.HEALTH)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("DRAIN_SECONDS", "-1"),
        ("DRAIN_SECONDS", "nan"),
        ("LOG_LEVEL", "LOUD"),
        ("WEB_FAIL", "sometimes"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_what_to_do(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is '{value}': set it to"):
        read({name: value})


def test_all_wrong_variables_are_reported_together() -> None:
    with pytest.raises(SettingsError) as wrong:
        read({"PORT": "x", "LOG_LEVEL": "x", "DRAIN_SECONDS": "x", "WEB_FAIL": "x"})

    assert [line.split()[0] for line in str(wrong.value).splitlines()] == [
        "PORT",
        "LOG_LEVEL",
        "DRAIN_SECONDS",
        "WEB_FAIL",
    ]
