"""The commands beside `hub serve`, as an operator types them."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from hub import __version__
from hub.cli.bi import address_of
from hub.cli.database import without_password
from hub.embedded import running
from tests.process import hub, left

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

KEY, OTHER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "ZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmM="


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database that runs meanwhile, so that no command has to start it."""
    folder = tmp_path_factory.mktemp("cli") / "data"
    with running(folder):
        assert hub(folder, "migrate").returncode == 0
        yield folder


def test_the_version_is_shown(tmp_path: Path) -> None:
    """Without a database."""
    assert hub(tmp_path, "--version").stdout == f"hub {__version__}\n"


def test_keys_are_created_listed_and_revoked(data_dir: Path) -> None:
    """The text of a key appears once, and never in the list."""
    made = hub(
        data_dir,
        "keys",
        "create",
        "importer",
        "--scope",
        "write",
        "--scope",
        "read",
        "--tenant",
        "acme",
        "--expires",
        "90d",
    )
    key = made.stdout.strip()
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"hub_\S{40,}", key)
    listed = hub(data_dir, "keys", "list").stdout
    row = next(line for line in listed.splitlines() if "importer" in line)
    assert key not in listed
    prefix, *rest = row.split()
    assert key.startswith(prefix)
    assert rest[:3] == ["importer", "read,write", "acme"]
    revoked = hub(data_dir, "keys", "revoke", prefix)
    assert (revoked.returncode, revoked.stdout) == (0, f"Revoked {prefix} (importer).\n")
    again = hub(data_dir, "keys", "revoke", "hub_nosuch")
    assert again.returncode == 1
    assert "hub keys list" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["x"], "--scope"),
        (["x", "--scope", "root"], "'root'"),
        ([" ", "--scope", "read"], "NAME"),
        (["x", "--scope", "read", "--tenant", " "], "--tenant"),
        (["x", "--scope", "read", "--expires", "soon"], "'soon'"),
        (["x", "--scope", "read", "--expires", "2020-01-01"], "in the past"),
        (["x", "--scope", "read", "--expires", "99999999999d"], "99999999999d"),
    ],
)
def test_a_key_is_not_made_from_wrong_words(data_dir: Path, arguments: list[str], complaint: str) -> None:
    """What is wrong is named."""
    refused = hub(data_dir, "keys", "create", *arguments)
    assert refused.returncode == 2
    assert complaint in refused.stderr
    assert refused.stdout == ""


def test_an_expiry_may_be_a_date(data_dir: Path) -> None:
    """It means the first moment of that day, in UTC."""
    assert hub(data_dir, "keys", "create", "until", "--scope", "admin", "--expires", "2079-01-01").returncode == 0
    assert "2079-01-01 00:00Z" in hub(data_dir, "keys", "list").stdout


def test_migrating_again_does_nothing(data_dir: Path) -> None:
    """And says so."""
    again = hub(data_dir, "migrate")
    assert (again.returncode, again.stdout) == (0, "Nothing to do.\n")


def test_distributing_needs_citus(data_dir: Path) -> None:
    """Without it nothing is changed, and the command says so."""
    refused = hub(data_dir, "migrate", "--distributed")
    assert refused.returncode == 1
    assert "no Citus extension" in refused.stderr


def test_reflatten_makes_records_anew(data_dir: Path) -> None:
    """Of everything or of a part; what has no payload any more is counted."""
    insert = (
        "insert into submissions (tenant_id, submission_id, source, form_id, status, snapshot_order, payload, received_at)"
        " values ('acme', 'r1', 'formbricks', 'sv', 'completed', '', '{\"id\": \"r1\", \"surveyId\": \"sv\", \"data\": {\"q\": 7}}', now()),"
        " ('acme', 'r2', 'formbricks', 'sv', 'completed', '', null, now()),"
        " ('globex', 'r3', 'of another hub', 'sv', 'completed', '', '{}', now())"
    )
    assert hub(data_dir, "psql", "-c", insert).returncode == 0
    none = hub(data_dir, "reflatten", "formbricks", "--form", "sv", "--tenant", "globex")
    done = hub(data_dir, "reflatten")
    values = hub(data_dir, "psql", "-At", "-c", "select submission_id, field_id, value_number from feedback_records")

    assert (none.returncode, none.stdout) == (0, "0 submissions flattened again.\n")
    assert done.stdout == (
        "1 submissions flattened again.\n1 submissions stay as they are: their payloads are gone (retention).\n"
    )
    assert values.stdout == "r1|q|7\n"
    wrong = hub(data_dir, "reflatten", "nonesuch")
    assert wrong.returncode == 2
    assert "formbricks" in wrong.stderr


def test_psql_passes_its_arguments_on(data_dir: Path) -> None:
    """And its exit status back."""
    shown = hub(data_dir, "psql", "-At", "-c", "select 6 * 7")
    assert (shown.returncode, shown.stdout) == (0, "42\n")
    assert hub(data_dir, "psql", "-c", "select nonsense").returncode == 1


@pytest.mark.parametrize(
    ("dsn", "visible", "password"),
    [
        ("postgresql://u:p%40w@h:1/d?sslmode=require", "postgresql://u@h:1/d?sslmode=require", "p@w"),
        ("postgres://h/d?user=u&password=p&host=/run/postgresql", "postgres://h/d?user=u&host=/run/postgresql", "p"),
        ("postgresql://u@h1:1,h2:2/d", "postgresql://u@h1:1,h2:2/d", None),
    ],
)
def test_a_password_is_kept_out_of_the_list_of_processes(dsn: str, visible: str, password: str | None) -> None:
    """It goes to psql through the environment."""
    assert without_password(dsn) == (visible, password)


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://u:p%40w@h:1/d?sslmode=require", "postgresql://analyst:new@h:1/d?sslmode=require"),
        ("postgresql:///d?user=u&password=p&host=/run/postgresql", "postgresql://analyst:new@/d?host=/run/postgresql"),
        ("postgresql://h1:1,h2:2/d?passfile=/p&sslpassword=s", "postgresql://analyst:new@h1:1,h2:2/d"),
    ],
)
def test_a_reader_is_not_told_the_password_of_the_hub(dsn: str, shown: str) -> None:
    """Nor would it connect as the hub itself: libpq believes the query before the rest."""
    assert address_of(dsn, "analyst", "new") == shown


def test_doctor_is_content(data_dir: Path) -> None:
    """Each check has its line."""
    checked = hub(data_dir, "doctor")
    assert checked.returncode == 0, checked.stdout
    assert [line.split()[:2] for line in checked.stdout.splitlines()] == [
        ["ok", name] for name in ("disk", "database", "version", "migrations", "clock", "queue")
    ]


async def test_doctor_says_what_to_do_about_migrations(data_dir: Path) -> None:
    """An empty database lacks them all."""
    with running(data_dir) as postgres:
        connection = await asyncpg.connect(postgres.dsn)
        await connection.execute("create database bare")
        await connection.close()
        checked = hub(data_dir, "doctor", DATABASE_URL=postgres.dsn.removesuffix("hub") + "bare")
    assert checked.returncode == 1
    assert "FAIL  migrations" in checked.stdout
    assert "run `hub migrate`" in checked.stdout


def test_doctor_says_that_the_database_is_away(tmp_path: Path) -> None:
    """And where to look."""
    checked = hub(tmp_path, "doctor", DATABASE_URL="postgresql://hub@127.0.0.1:1/hub")
    assert checked.returncode == 1
    assert "FAIL  database" in checked.stdout
    assert "DATABASE_URL" in checked.stdout


def test_doctor_makes_nothing(tmp_path: Path) -> None:
    """Where there is no database yet it says so, and leaves the folder as it is."""
    checked = hub(tmp_path / "data", "doctor")
    assert checked.returncode == 1
    assert "hub serve" in checked.stdout
    assert not (tmp_path / "data").exists()


def test_a_command_starts_the_database_for_its_own_time(tmp_path: Path) -> None:
    """The first command of all even makes it; nothing runs afterwards."""
    folder = tmp_path / "data"
    assert hub(folder, "keys", "list").returncode == 0
    assert left(folder) == {}


def test_keys_of_an_unmigrated_database_of_ones_own_say_what_to_do(data_dir: Path) -> None:
    """Whoever runs the database decides when it is migrated."""
    url = f"postgresql://hub:{(data_dir / 'postgres.password').read_text().strip()}@127.0.0.1"
    url += f":{(data_dir / 'postgres.port').read_text().strip()}/postgres"
    refused = hub(data_dir, "keys", "list", DATABASE_URL=url)
    assert refused.returncode == 1
    assert "run `hub migrate` first" in refused.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_closed_data_dir_is_one_line(tmp_path: Path) -> None:
    """No traceback."""
    (tmp_path / "closed").mkdir(mode=0o500)
    refused = hub(tmp_path / "closed" / "data", "keys", "list")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1


async def test_user_of_an_address_is_told_where_the_key_is(dsn: str, empty_dsn: str, tmp_path: Path) -> None:
    """For every spelling the same, and for another hub another."""
    assert hub(tmp_path, "migrate", DATABASE_URL=empty_dsn).returncode == 0
    said = [
        hub(tmp_path, "user-id", address, SECRET_KEY=secret, DATABASE_URL=database).stdout
        for address, secret, database in (
            ("ada@acme.example", KEY, dsn),
            (" Ada@ACME.example", KEY, dsn),
            ("ada@acme.example", OTHER_KEY, empty_dsn),
        )
    ]

    assert said[0] == said[1] != said[2]
    assert re.fullmatch(r"email:[0-9a-f]{32}\n", said[0])


async def test_user_whom_this_database_cannot_know_is_not_told(dsn: str, tmp_path: Path) -> None:
    """Erasing it would delete nothing, and look done."""
    assert hub(tmp_path, "user-id", "ada@acme.example", SECRET_KEY=KEY, DATABASE_URL=dsn).returncode == 0
    other = hub(tmp_path, "user-id", "ada@acme.example", SECRET_KEY=OTHER_KEY, DATABASE_URL=dsn)
    keyless = hub(tmp_path, "user-id", "ada@acme.example", DATABASE_URL=dsn)

    assert [(found.returncode, found.stdout) for found in (other, keyless)] == [(1, "")] * 2
    assert "this database is used with another one" in other.stderr
    assert "set SECRET_KEY" in keyless.stderr


def test_user_of_an_address_needs_the_database(tmp_path: Path) -> None:
    """Which knows its key by a hash. None is made for it."""
    refused = hub(tmp_path, "user-id", "ada@acme.example", SECRET_KEY=KEY)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "set DATABASE_URL" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["", " ", "notanemail", "@acme.example", "ada @acme.example"])
def test_what_is_no_address_is_no_user(tmp_path: Path, address: str) -> None:
    """A slip of the pen is not hashed."""
    refused = hub(tmp_path, "user-id", address)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is no e-mail address" in refused.stderr


def test_a_reader_is_made_seen_and_dropped(data_dir: Path) -> None:
    """What is printed connects, to its tenants alone; a name is taken once."""
    made = hub(data_dir, "bi", "create-reader", "analyst", "--tenant", "gamma", "--tenant", " beta ")
    assert made.returncode == 0, made.stderr

    async def view() -> object:
        connection = await asyncpg.connect(made.stdout.strip())
        try:
            return await connection.fetchval("select count(*) from feedback")
        finally:
            await connection.close()

    assert asyncio.run(view()) == 0
    assert re.search(r"^analyst +beta, gamma$", hub(data_dir, "bi", "readers").stdout, re.MULTILINE)
    again = hub(data_dir, "bi", "create-reader", "analyst", "--tenant", "acme")
    assert (again.returncode, "role analyst already" in again.stderr) == (1, True)
    assert hub(data_dir, "psql", "-qc", "create schema marts authorization analyst").returncode == 0
    assert "owns something" in hub(data_dir, "bi", "drop-reader", "analyst").stderr
    assert hub(data_dir, "psql", "-qc", "drop schema marts").returncode == 0
    assert hub(data_dir, "bi", "drop-reader", "analyst").stdout == "Dropped analyst.\n"
    assert hub(data_dir, "bi", "drop-reader", "hub").returncode == 1
    for name in ("pg_mine", "x; drop table", "Robert", "a" * 64):
        assert hub(data_dir, "bi", "create-reader", name, "--tenant", "acme").returncode == 2
    assert hub(data_dir, "bi", "create-reader", "analyst", "--tenant", " ").returncode == 2
