"""`hub connect`, `hub pull` and `hub connections`, as an operator types them, against a vendor that is a local server."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.db import Connection
from tests.conftest import SECRET_KEY
from tests.process import PATIENCE, environment
from tests.test_pulls import SURVEY, SURVEY_ID, submissions_of
from tests.vendors.formbricks import FormbricksServer
from tests.vendors.satismeter import PROJECT, SatisMeterServer

pytestmark = pytest.mark.process

Hub = Callable[..., subprocess.CompletedProcess[str]]
PUBLIC = "http://127.0.0.1:9"


@pytest.fixture
def vendor() -> Iterator[FormbricksServer]:
    with FormbricksServer() as server:
        server.time = datetime.now(UTC) - timedelta(days=2)
        server.add_survey(SURVEY)
        server.add_survey(SURVEY | {"id": "other", "name": "Onboarding"})
        for number in range(3):
            server.respond(SURVEY_ID, f"r{number}", data={"nps_main": number}, finished=True)
        server.respond("other", "o1", data={"nps_main": 9}, finished=True)
        yield server


@pytest.fixture
def hub(dsn: str, tmp_path: Path) -> Hub:
    """Runs a command on the test's database."""

    def run(*arguments: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "DATABASE_URL": dsn, "SECRET_KEY": SECRET_KEY, "ALLOW_PRIVATE_ADDRESSES": "true", "PUBLIC_BASE_URL": PUBLIC,
            "FORMBRICKS_API_KEY": "fbk_test",
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", "hub", *arguments],
            env=environment(tmp_path, **(settings | variables)),
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run


async def test_connecting_lists_the_surveys_has_answers_delivered_and_fetches_those_there_are(
    hub: Hub, vendor: FormbricksServer, connection: Connection
) -> None:
    """The survey is chosen by its number; neither the key nor the secret is shown."""
    done = hub("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, typed="1\n")
    assert done.returncode == 0, done.stderr
    assert "The key opens Formbricks workspace Northwind." in done.stdout
    listed = [line for line in done.stdout.splitlines() if SURVEY_ID in line or "Onboarding" in line]
    (chosen,) = [line.split()[-1] for line in listed if line.split()[0] == "1"]
    expected = sorted(name for name, response in vendor.responses.items() if response["surveyId"] == chosen)
    assert f"{len(expected)} response" in done.stdout
    assert " to 1 survey fetched." in done.stdout
    assert await submissions_of(connection) == expected
    (webhook,) = vendor.webhooks.values()
    row = await connection.fetchrow("select * from connections")
    assert row is not None
    assert webhook["url"].startswith(f"{PUBLIC}/hooks/{row['id']}/")
    assert webhook["surveyIds"] == [chosen] == row["forms"]
    assert (row["tenant_id"], row["name"], row["status"], row["pull_minutes"]) == ("acme", "Formbricks", "active", 60)
    for secret in ("fbk_test", webhook["secret"], webhook["url"].rpartition("/")[2]):
        assert secret not in done.stdout + done.stderr + str(dict(row))


async def test_a_key_that_opens_nothing_connects_nothing(
    hub: Hub, vendor: FormbricksServer, connection: Connection
) -> None:
    """One line says so."""
    refused = hub("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, FORMBRICKS_API_KEY="fbk_wrong")
    assert refused.returncode == 1
    assert "answered 401" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "fbk_wrong" not in refused.stderr
    assert await connection.fetchval("select count(*) from connections") == 0


async def test_a_hub_that_nobody_can_reach_is_offered_pulling_alone(
    hub: Hub, vendor: FormbricksServer, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variable to set; without a yes nothing is changed."""
    arguments = ("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, "--all")
    unreachable = {"PUBLIC_BASE_URL": "http://nowhere.invalid"}
    refused = hub(*arguments, typed="n\n", **unreachable)
    assert refused.returncode == 1
    assert "Set PUBLIC_BASE_URL" in refused.stdout
    assert await connection.fetchval("select count(*) from connections") == 0
    assert hub(*arguments, typed="y\n", **unreachable).returncode == 0
    assert vendor.webhooks == {}
    assert await submissions_of(connection) == sorted(vendor.responses)


async def test_what_cannot_be_registered_is_no_connection(
    hub: Hub, vendor: FormbricksServer, connection: Connection
) -> None:
    """A key that may only read can still pull."""
    vendor.permission = "read"
    arguments = ("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, "--all")
    refused = hub(*arguments)
    assert refused.returncode == 1
    assert "--pull-only" in refused.stderr
    assert await connection.fetchval("select count(*) from connections") == 0
    assert hub(*arguments, "--pull-only", "--no-history", "--every", "0", "--name", "Surveys").returncode == 0
    row = await connection.fetchrow("select name, pull_minutes, forms from connections")
    assert dict(row or {}) == {"name": "Surveys", "pull_minutes": None, "forms": []}
    assert await submissions_of(connection) == []


async def test_a_formbricks_that_does_not_sign_has_to_be_accepted(
    hub: Hub, vendor: FormbricksServer, connection: Connection
) -> None:
    """Else nothing it delivers would be taken."""
    vendor.signs = False
    arguments = ("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, "--all", "--no-history")
    refused = hub(*arguments)
    assert refused.returncode == 1
    assert "--accept-unsigned" in refused.stderr
    assert vendor.webhooks == {}
    assert await connection.fetchval("select count(*) from connections") == 0
    assert hub(*arguments, "--accept-unsigned").returncode == 0
    assert len(vendor.webhooks) == 1


async def test_a_blank_tenant_is_refused(hub: Hub, vendor: FormbricksServer) -> None:
    """Before anything is asked."""
    refused = hub("connect", "formbricks", "--tenant", " ", "--base-url", vendor.url)
    assert refused.returncode == 2
    assert "tenant_id" in refused.stderr
    assert vendor.requests == []


@pytest.mark.parametrize("typed", ["9\n1\n", "one\n1\n"])
async def test_a_number_that_is_not_there_is_asked_for_again(hub: Hub, vendor: FormbricksServer, typed: str) -> None:
    done = hub("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, "--no-history", typed=typed)
    assert done.returncode == 0, done.stderr
    assert "numbers from 1 to 2" in done.stdout + done.stderr


async def test_a_connection_is_pulled_paused_resumed_and_ended(
    hub: Hub, vendor: FormbricksServer, connection: Connection
) -> None:
    """By its name or its id. Ended, it has no webhook and no key any more, and what it brought stays."""
    assert hub("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, "--all").returncode == 0
    row_id = str(await connection.fetchval("select id from connections"))
    vendor.responses["r1"] |= {"updatedAt": datetime.now(UTC).isoformat()}
    assert hub("pull", "Formbricks").stdout == "1 response to 2 surveys fetched.\n"
    assert hub("pull", row_id, "--since", "2026-01-01").stdout == "4 responses to 2 surveys fetched.\n"
    for command, status in (("pause", "paused"), ("resume", "active")):
        assert hub("connections", command, "Formbricks").stdout == f"Formbricks is {status}.\n"
        assert await connection.fetchval("select status from connections") == status
    (line,) = [line for line in hub("connections", "list").stdout.splitlines() if row_id in line]
    assert line.split()[:4] == ["Formbricks", "formbricks", "acme", "active"]

    vendor.permission = "read"
    refused = hub("connections", "disconnect", "Formbricks")
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    vendor.permission = "manage"
    sealed = await connection.fetchval("select credentials from connections")
    assert hub("connections", "disconnect", "Formbricks").returncode == 0
    assert vendor.webhooks == {}
    row = await connection.fetchrow("select status, pull_minutes, credentials from connections")
    assert row is not None
    assert (row["status"], row["pull_minutes"]) == ("revoked", None)
    assert len(row["credentials"]) < len(sealed)
    assert "disconnected" in hub("pull", row_id).stderr
    assert len(await submissions_of(connection)) == 4


async def test_each_connection_has_a_name_of_its_own(
    hub: Hub, vendor: FormbricksServer, connection: Connection
) -> None:
    """Commands find it by that. What was disconnected has none any more."""
    arguments = ("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, "--all", "--no-history")
    assert hub(*arguments).returncode == 0
    asked = len(vendor.requests)
    refused = hub(*arguments)
    assert (refused.returncode, len(vendor.requests)) == (1, asked)
    assert "--name" in refused.stderr
    assert hub(*arguments, "--name", "Surveys").returncode == 0
    assert hub("connections", "disconnect", "Formbricks").returncode == 0
    assert hub(*arguments).returncode == 0
    names = "select string_agg(name || ' ' || status, ', ' order by created_at) from connections"
    assert await connection.fetchval(names) == "Formbricks revoked, Surveys active, Formbricks active"


async def test_a_command_does_not_wait_for_long(hub: Hub, connection: Connection) -> None:
    """Unlike a pull, it gives up after a few attempts, and says how many."""
    with FormbricksServer() as vendor:
        url = vendor.url
    refused = hub("connect", "formbricks", "--tenant", "acme", "--base-url", url)
    assert refused.returncode == 1
    assert "cannot be reached" in refused.stderr
    assert "3 times" in refused.stderr
    assert await connection.fetchval("select count(*) from connections") == 0


async def test_a_pull_tells_what_it_could_not_store(hub: Hub, vendor: FormbricksServer, connection: Connection) -> None:
    """And where that is, each time it comes again."""
    vendor.responses["r1"] |= {"data": "not an object"}
    done = hub("connect", "formbricks", "--tenant", "acme", "--base-url", vendor.url, "--all")
    row_id = await connection.fetchval("select id from connections")
    told = f"1 response could not be stored: `hub rejects list --connection {row_id}` tells why.\n"
    assert told in done.stdout
    assert told in hub("pull", "Formbricks", "--since", "2026-01-01").stdout
    assert await connection.fetchval("select count(*) from rejects") == 1


async def test_a_webhook_that_was_added_by_hand_has_to_be_removed_by_hand(hub: Hub, connection: Connection) -> None:
    """Ending the connection says so; also when the hub has no key any more."""
    with SatisMeterServer() as vendor:
        arguments = ("--tenant", "acme", "--base-url", vendor.url, "--all", "--project", PROJECT, "--no-history")
        assert hub("connect", "satismeter", *arguments, SATISMETER_API_KEY="sm_test").returncode == 0
        ended = hub("connections", "disconnect", "SatisMeter")
    assert "by hand" in ended.stdout
    assert await connection.fetchval("select status from connections") == "revoked"
    row_id = str(await connection.fetchval("select id from connections"))
    assert "remove it at the tool" in hub("connections", "disconnect", row_id).stdout


async def test_a_connection_that_is_not_there_is_one_line(hub: Hub) -> None:
    """With the command that shows those that are."""
    refused = hub("pull", "nonesuch")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "hub connections list" in refused.stderr


async def test_a_time_that_is_none_is_refused(hub: Hub) -> None:
    """Before anything is opened."""
    refused = hub("pull", "Formbricks", "--since", "yesterday")
    assert refused.returncode == 2
    assert "'yesterday'" in refused.stderr
