"""The environment is read as a whole, and told what is wrong with it by name."""

from pathlib import Path

import pytest

from hub.settings import InvalidSettingsError, Settings, read


def faults(**environ: str) -> list[str]:
    with pytest.raises(InvalidSettingsError) as refused:
        read(environ)
    return str(refused.value).splitlines()


def test_empty_environment_is_enough() -> None:
    """Nothing has to be set, and what is set to nothing or to blanks is not set."""
    assert read({}) == Settings()
    assert read({"API_KEY": "", "DATABASE_URL": " ", "PORT": "", "DATA_DIR": "\t"}) == Settings()


def test_variables_have_the_names_of_the_formbricks_hub() -> None:
    """Each setting is its own name in upper case."""
    settings = read(
        {
            "API_KEY": "ключ with blanks",
            "DATABASE_URL": "postgres://u:p@db:5432/hub?sslmode=disable",
            "HOST": "::",
            "PORT": "9090",
            "DATA_DIR": "/var/lib/hub",
            "PUBLIC_BASE_URL": "https://feedback.example",
            "DATABASE_MAX_CONNS": "25",
            "REQUEST_TIMEOUT_SECONDS": "2.5",
        }
    )

    assert settings == Settings(
        api_key="ключ with blanks",
        database_url="postgres://u:p@db:5432/hub?sslmode=disable",
        host="::",
        port=9090,
        data_dir=Path("/var/lib/hub"),
        public_base_url="https://feedback.example",
        database_max_conns=25,
        request_timeout_seconds=2.5,
    )


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("debug", "debug"),
        ("INFO", "info"),
        ("Warn", "warn"),
        ("warning", "warn"),
        ("WARNING", "warn"),
        (" error ", "error"),
    ],
)
def test_log_level_in_any_case(text: str, level: str) -> None:
    """The level of the log is understood in any case, and `warning` is `warn`."""
    assert read({"LOG_LEVEL": text}).log_level == level


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Settings(), "http://127.0.0.1:8080"),
        (Settings(host="0.0.0.0", port=9090), "http://127.0.0.1:9090"),
        (Settings(host="::"), "http://[::1]:8080"),
        (Settings(host="fd00::1"), "http://[fd00::1]:8080"),
        (Settings(host="::", public_base_url="https://feedback.example/"), "https://feedback.example"),
    ],
)
def test_url_is_one_that_a_client_can_ask(settings: Settings, url: str) -> None:
    """An address that means all of them is none to connect to."""
    assert settings.url == url


def test_home_is_understood() -> None:
    """A data directory may begin with the tilde that a shell would have replaced."""
    assert read({"DATA_DIR": "~/hub"}).data_dir == Path.home() / "hub"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "http"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "80.5"), ("PORT", "-1"), ("LOG_LEVEL", "verbose"), ("LOG_LEVEL", "trace"),
        ("DATABASE_MAX_CONNS", "0"), ("DATABASE_MAX_CONNS", "many"), ("REQUEST_TIMEOUT_SECONDS", "0"), ("REQUEST_TIMEOUT_SECONDS", "-1"),
        ("REQUEST_TIMEOUT_SECONDS", "nan"), ("REQUEST_TIMEOUT_SECONDS", "inf"), ("SHUTDOWN_TIMEOUT_SECONDS", "soon"), ("WEB_CONCURRENCY", "0"),
        ("DATABASE_URL", "mysql://db/hub"), ("DATABASE_URL", "/var/lib/hub.db"), ("PUBLIC_BASE_URL", "feedback.example"),
        ("PUBLIC_BASE_URL", "ftp://feedback.example"), ("PROBLEM_BASE_URL", "problems"), ("SOURCE_PAYLOAD_MAX_BYTES", "1"),
        ("PAYLOAD_RETENTION_DAYS", "0"), ("PAYLOAD_RETENTION_DAYS", "never"), ("SECRET_KEY", "short"),
    ],
)  # fmt: skip
def test_wrong_value_is_one_line_naming_the_variable(name: str, text: str) -> None:
    """A value that cannot be used is told in one line that begins with its variable."""
    (line,) = faults(**{name: text})

    assert line.startswith(f"{name}: ")


@pytest.mark.parametrize("text", ["_-8" * 14 + "A=", "/+8" * 14 + "A=", "/+8" * 14 + "A", "_-8" * 14 + "A"])
def test_secret_may_be_written_in_either_alphabet(text: str) -> None:
    """As `openssl rand -base64 32` and as Fernet write it, with its padding or without: it is the same secret."""
    assert read({"SECRET_KEY": text}).secret_key == "_-8" * 14 + "A="


@pytest.mark.parametrize("text", ["hunter2", "A" * 43 + "!", "A" * 42, "A" * 47, "A" * 64, "ключ"])
def test_secret_that_is_none_is_refused_without_being_repeated(text: str) -> None:
    """It may be a real one with a slip of the pen."""
    (line,) = faults(SECRET_KEY=text)

    assert line.startswith("SECRET_KEY: ")
    assert text not in line


def test_all_wrong_values_are_told_at_once() -> None:
    """Nobody has to start the hub three times to learn of three mistakes."""
    lines = faults(PORT="http", LOG_LEVEL="verbose", DATABASE_URL="mysql://db", HOST="127.0.0.1")

    assert sorted(line.split(":")[0] for line in lines) == ["DATABASE_URL", "LOG_LEVEL", "PORT"]


def test_fault_does_not_repeat_a_password() -> None:
    """A database URL that is refused is not printed: its password would stand in every log."""
    (line,) = faults(DATABASE_URL="postgre://user:secret@db/hub")

    assert "secret" not in line
