"""Connections over HTTP: made, shown without their secrets, changed, revoked; each of one tenant."""

from typing import TypeAlias

import asyncpg
import httpx
import msgspec
import pytest

from hub.app import create_app
from hub.credentials import Formbricks, Kept, Typeform, Vault
from hub.settings import Settings
from tests.api.test_auth import key
from tests.conftest import SECRET_KEY, client_of

URL = "/v1/connections"
WHSEC = "whsec_O0b9kAWuXa9X8lMw3oStsMdLt/TdxhtGu5h7P1FHtV4="
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, object]


def body(**overrides: object) -> Json:
    """A connection to Formbricks, but for what the test is about; a member given as `...` is left out."""
    members = {
        "source": "formbricks",
        "tenant_id": "acme",
        "name": "Surveys",
        "credentials": {"api_key": "fbk_the-key", "webhook_secrets": [WHSEC]},
    }
    return {name: value for name, value in (members | overrides).items() if value is not ...}


async def create(client: httpx.AsyncClient, **overrides: object) -> Json:
    answer = await client.post(URL, json=body(**overrides))
    assert answer.status_code == 201, answer.text
    created: Json = answer.json()
    return created


async def change(client: httpx.AsyncClient, connection: Json, **members: object) -> Json:
    answer = await client.patch(f"{URL}/{connection['id']}", json=members)
    assert answer.status_code == 200, answer.text
    changed: Json = answer.json()
    return changed


async def kept(database: Database, connection: Json) -> Kept:
    """What is in the vault."""
    row = await database.fetchrow("select source, credentials from connections where id = $1", connection["id"])
    assert row is not None
    return Vault(SECRET_KEY).open(row["source"], row["credentials"])


def faults(answer: httpx.Response) -> dict[str, str]:
    assert (answer.status_code, answer.json()["code"]) == (400, "validation"), answer.text
    return {fault["name"]: fault["reason"] for fault in answer.json()["invalid_params"]}


async def test_after_the_secret_was_lost_a_connection_can_be_had_again(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    """It has no credentials, and nobody knows its address; both can be given anew."""
    created = await create(client)
    new = msgspec.structs.replace(settings, secret_key="b3RoZXI1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
    async with client_of(create_app(new)) as later:
        (listed,) = (await later.get(URL)).json()["data"]
        assert (listed["id"], listed["credentials"]) == (created["id"], [])
        assert (await later.post(str(created["hook_url"]), content=b"{}")).status_code == 401
        assert (await change(later, created, credentials={"accept_unsigned": True}))["credentials"] == [
            "accept_unsigned"
        ]
        hook_url = (await later.post(f"{URL}/{created['id']}/hook")).json()["hook_url"]
        assert (await later.post(hook_url, content=b"{}")).json() == {"outcome": "kept"}


async def test_a_connection_is_made_and_shown_without_its_secrets(
    client: httpx.AsyncClient, connection: Database
) -> None:
    """The address for webhooks is told once; credentials never, but that they are there."""
    created = await create(
        client,
        name=" Surveys ",
        base_url="https://tool.example/sub",
        forms=["f1"],
        options={"attributes": ["plan"], "completed_only": True},
        pull_minutes=15,
    )
    hook_url = created.pop("hook_url")

    assert (await client.get(f"{URL}/{created['id']}")).json() == created
    assert (await client.get(URL)).json() == {"data": [created]}
    assert created | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "", "source": "formbricks", "tenant_id": "acme", "name": "Surveys", "base_url": "https://tool.example/sub",
        "credentials": ["webhook_secrets", "api_key"], "forms": ["f1"],
        "options": {"attributes": ["plan"], "completed_only": True}, "status": "active", "pull_minutes": 15, "created_at": "",
        "updated_at": "", "received": 0, "stored": 0, "failed": 0, "duplicates": 0,
    }  # fmt: skip
    inside = await kept(connection, created)
    assert inside.credentials == Formbricks(api_key="fbk_the-key", webhook_secrets=(WHSEC,))
    assert hook_url == f"http://127.0.0.1:8080/hooks/{created['id']}/{inside.token}"
    row = await connection.fetchval("select connections::text from connections")
    assert not any(secret in row for secret in ("fbk_the-key", WHSEC, inside.token))


async def test_a_connection_needs_little(client: httpx.AsyncClient) -> None:
    """A payload can be delivered to a connection without any credentials; null is the same as absent."""
    nothing = dict.fromkeys(("base_url", "credentials", "forms", "options", "pull_minutes"))
    created = await create(client, source="satismeter", **nothing)

    assert (created["credentials"], created["forms"], created["options"]) == ([], [], {})
    assert "pull_minutes" not in created


async def test_for_typeform_a_secret_is_made(client: httpx.AsyncClient, connection: Database) -> None:
    """Typeform signs with what it is told to sign with, so there is always a secret; it is told once, too."""
    created = await create(client, source="typeform", credentials={"access_token": "tfp_x"})
    chosen = await create(client, source="typeform", credentials={"webhook_secrets": ["mine"]})

    made = str(created["webhook_secret"])
    assert (await kept(connection, created)).credentials == Typeform(access_token="tfp_x", webhook_secrets=(made,))
    assert len(made) >= 43
    assert "webhook_secret" not in chosen


async def test_all_faults_are_told_at_once(client: httpx.AsyncClient) -> None:
    """Of the members, of the credentials and of the options."""
    wrong = body(
        source="formbricks", tenant_id=" ", name=5, base_url="ftp://x", forms=["f", 1, ""], pull_minutes=0,
        credentials={"api_key": 1, "access_token": "x", "webhook_secrets": ["x", ""]}, options={"attributes": "x"}, status="x",
    )  # fmt: skip

    assert set(faults(await client.post(URL, json=wrong))) == {
        "tenant_id", "name", "base_url", "forms[1]", "forms[2]", "pull_minutes", "credentials.api_key",
        "credentials.access_token", "credentials.webhook_secrets[1]", "options.attributes", "status",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("member", "value", "name"),
    [
        ("source", ..., "source"),
        ("source", "csv", "source"),
        ("tenant_id", ..., "tenant_id"),
        ("tenant_id", "", "tenant_id"),
        ("tenant_id", "x" * 256, "tenant_id"),
        ("tenant_id", "a\0", "tenant_id"),
        ("name", ..., "name"),
        ("name", "", "name"),
        ("name", " ", "name"),
        ("base_url", "tool.example", "base_url"),
        ("base_url", "", "base_url"),
        ("base_url", "https://tool.example/\n", "base_url"),
        ("base_url", "https://user:pass@tool.example", "base_url"),
        ("base_url", "https://tool.example?key=x", "base_url"),
        ("base_url", "https://[", "base_url"),
        ("base_url", "https:///x", "base_url"),
        ("forms", "f1", "forms"),
        ("forms", ["f"] * 201, "forms"),
        ("pull_minutes", 1.5, "pull_minutes"),
        ("pull_minutes", "5", "pull_minutes"),
        ("pull_minutes", 44641, "pull_minutes"),
        ("credentials", [], "credentials"),
        ("credentials", "x", "credentials"),
        ("credentials", {"webhook_secrets": ["x"]}, "credentials.webhook_secrets[0]"),
        ("credentials", {"webhook_secrets": "x"}, "credentials.webhook_secrets"),
        ("credentials", {"accept_unsigned": 1}, "credentials.accept_unsigned"),
        ("credentials", {"token": "x"}, "credentials.token"),
        ("options", 5, "options"),
        ("options", {"x": 1}, "options.x"),
        ("options", {"personal_data": "yes"}, "options.personal_data"),
        ("options", {"questions": {"q": {"field_type": "text"}}}, "options.questions.q.field_type"),
        ("options", {"questions": {"q": {"scale": {"min": 0}}}}, "options.questions.q.scale.max"),
        ("options", {"questions": {"q": {"scale": {"min": 5, "max": 1.5}}}}, "options.questions.q.scale.max"),
        ("options", {"questions": {"q": {"scale": {"min": 5, "max": 1}}}}, "options.questions[...].scale"),
        ("options", {"questions": {"x" * 256: {}}}, f"options.questions.{'x' * 64}"),
        ("options", {"questions": []}, "options.questions"),
        ("options", {"attributes": ["a"] * 51}, "options.attributes"),
        ("options", {"attributes": [""]}, "options.attributes[0]"),
        ("options", {"attributes": ["a\0"]}, "options.attributes[0]"),
        ("id", "x", "id"),
    ],
)
async def test_a_wrong_member_is_named(client: httpx.AsyncClient, member: str, value: object, name: str) -> None:
    answer = await client.post(URL, json=body(**{member: value}))

    assert list(faults(answer)) == [name]
    assert (await client.get(URL)).json() == {"data": []}


@pytest.mark.parametrize(
    ("text", "status", "name"),
    [
        (b"", 400, None),
        (b"[]", 400, None),
        (b'{"name": ', 400, None),
        (b'{"name": "\xff"}', 400, "name"),
        (b'{"options": ' + b'{"x":' * 200 + b"1" + b"}" * 201, 400, "options"),
        (b'{"options": ' + b'{"x":' * 20_000 + b"1" + b"}" * 20_001, 400, "options"),
        (b" " * (4 * 1024 * 1024 + 1), 413, None),
        (b'{"credentials": {"api_key": "x", "api_key": "y"}}', 400, "credentials.api_key"),
        (b'{"credentials": {"api_key": "\\ud800"}}', 400, "credentials.api_key"),
    ],
)
async def test_a_body_that_is_no_connection_is_refused(
    client: httpx.AsyncClient, text: bytes, status: int, name: str | None
) -> None:
    made = await create(client)
    for answer in (await client.post(URL, content=text), await client.patch(f"{URL}/{made['id']}", content=text)):
        assert answer.status_code == status, answer.text
        assert name is None or name in faults(answer)


async def test_a_credential_is_not_told_when_it_is_wrong(client: httpx.AsyncClient) -> None:
    answer = await client.post(URL, json=body(credentials={"webhook_secrets": ["s3cr3t"], "api_key": "k3y"}))
    patched = await client.patch(
        f"{URL}/{(await create(client))['id']}", json={"credentials": {"api_key": ["k3y"], "insert_key": 5}}
    )

    assert list(faults(patched)) == ["credentials.insert_key", "credentials.api_key"]
    for text in (answer.text, patched.text):
        assert "s3cr3t" not in text
        assert "k3y" not in text


async def test_what_is_changed_is_changed_and_nothing_else(client: httpx.AsyncClient, connection: Database) -> None:
    created = await create(client, base_url="https://tool.example", forms=["f1"], options={"hidden_fields": ["plan"]})
    del created["hook_url"]
    before = await kept(connection, created)

    changed = await change(client, created, name="New", pull_minutes=5)
    assert changed == created | {"name": "New", "pull_minutes": 5, "updated_at": changed["updated_at"]}
    changed = await change(client, created, base_url=None, forms=None, options=None, pull_minutes=None)
    assert "base_url" not in changed
    assert "pull_minutes" not in changed
    assert (changed["forms"], changed["options"], changed["name"]) == ([], {}, "New")
    assert await kept(connection, created) == before


async def test_credentials_are_changed_one_by_one(client: httpx.AsyncClient, connection: Database) -> None:
    """Nobody can read them, so nobody has to repeat them."""
    created = await create(client)
    token = (await kept(connection, created)).token

    await change(client, created, credentials={"api_key": "fbk_new", "accept_unsigned": True})
    assert await kept(connection, created) == Kept(
        token=token, credentials=Formbricks(api_key="fbk_new", webhook_secrets=(WHSEC,), accept_unsigned=True)
    )
    changed = await change(client, created, credentials={"webhook_secrets": None})
    assert changed["credentials"] == ["api_key", "accept_unsigned"]
    assert (await change(client, created, credentials=None))["credentials"] == []


async def test_all_faults_of_a_change_are_told_at_once(client: httpx.AsyncClient) -> None:
    created = await create(client)
    wrong = {
        "name": " ", "base_url": "x", "status": "gone", "credentials": {"access_token": "x"}, "options": {"x": 1}, "source": "typeform",
    }  # fmt: skip

    answer = await client.patch(f"{URL}/{created['id']}", json=wrong)
    assert set(faults(answer)) == {"name", "base_url", "status", "credentials.access_token", "options.x", "source"}
    del created["hook_url"]
    assert (await client.get(f"{URL}/{created['id']}")).json() == created


async def test_an_insert_key_belongs_to_one_connection(client: httpx.AsyncClient) -> None:
    """Until that is revoked."""
    first = await create(client, credentials={"insert_key": "k"})
    second = await create(client)

    answer = await client.post(URL, json=body(credentials={"insert_key": "k"}))
    assert faults(answer) == {"credentials.insert_key": "belongs to another connection"}
    answer = await client.patch(f"{URL}/{second['id']}", json={"credentials": {"insert_key": "k"}})
    assert faults(answer) == {"credentials.insert_key": "belongs to another connection"}
    await change(client, first, status="revoked")
    await change(client, second, credentials={"insert_key": "k"})


async def test_a_revoked_connection_stays_and_stays_revoked(client: httpx.AsyncClient, connection: Database) -> None:
    """What opened the vendor is gone; what came is still told."""
    created = await create(client)
    paused = await change(client, created, status="paused")
    assert paused["credentials"] == created["credentials"]
    revoked = await change(client, created, status="revoked")

    assert (revoked["status"], revoked["credentials"]) == ("revoked", [])
    assert (await kept(connection, created)).credentials == Formbricks()
    for answer in (
        await client.patch(f"{URL}/{created['id']}", json={"status": "active"}),
        await client.post(f"{URL}/{created['id']}/hook"),
    ):
        assert list(faults(answer)) == ["status"]
    assert (await client.get(URL)).json() == {"data": [revoked]}


async def test_a_new_address_takes_the_place_of_the_old(client: httpx.AsyncClient, connection: Database) -> None:
    created = await create(client)
    before = await kept(connection, created)
    answer = await client.post(f"{URL}/{created['id']}/hook")

    after = await kept(connection, created)
    assert answer.json() == {"hook_url": f"http://127.0.0.1:8080/hooks/{created['id']}/{after.token}"}
    assert after.credentials == before.credentials
    assert after.token != before.token
    token_hash = await connection.fetchval("select token_hash from connections")
    assert token_hash == Vault(SECRET_KEY).digest(after.token)


async def test_connections_are_selected_by_tenant_and_source(client: httpx.AsyncClient) -> None:
    for tenant_id, source in (("acme", "formbricks"), ("acme", "typeform"), ("other", "typeform")):
        await create(client, tenant_id=tenant_id, source=source, credentials={})

    async def selected(**query: str) -> list[tuple[str, str]]:
        answer = await client.get(URL, params=query)
        return [(found["tenant_id"], found["source"]) for found in answer.json()["data"]]

    assert await selected() == [("acme", "formbricks"), ("acme", "typeform"), ("other", "typeform")]
    assert await selected(tenant_id="acme", source="typeform") == [("acme", "typeform")]
    assert await selected(tenant_id="nobody") == []
    assert list(faults(await client.get(URL, params={"source": "csv"}))) == ["source"]


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    created = await create(client)
    assert (await client.delete(f"{URL}/{created['id']}")).status_code == 204

    for answer in (
        await client.get(f"{URL}/{created['id']}"),
        await client.patch(f"{URL}/{created['id']}", json={}),
        await client.post(f"{URL}/{created['id']}/hook"),
        await client.delete(f"{URL}/{created['id']}"),
    ):
        assert (answer.status_code, answer.json()["details"]) == (404, {"resource_type": "connection"})
    assert list(faults(await client.get(f"{URL}/x"))) == ["id"]


async def test_a_key_of_one_tenant_manages_the_connections_of_that_tenant(
    client: httpx.AsyncClient, connection: Database
) -> None:
    """It need not name its tenant, and those of others do not exist for it."""
    theirs = await create(client, tenant_id="other")
    headers = await key(connection, "admin", tenant_id="acme")

    made = await client.post(URL, json=body(tenant_id=...), headers=headers)
    assert (made.status_code, made.json()["tenant_id"]) == (201, "acme")
    assert (await client.post(URL, json=body(tenant_id="other"), headers=headers)).status_code == 403
    assert (await client.get(URL, params={"tenant_id": "other"}, headers=headers)).status_code == 403
    assert [found["id"] for found in (await client.get(URL, headers=headers)).json()["data"]] == [made.json()["id"]]
    for method, tail in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/hook")):
        answer = await client.request(method, f"{URL}/{theirs['id']}{tail}", headers=headers, content=b'{"name": "x"}')
        assert answer.status_code == 404, method
    assert (await client.get(f"{URL}/{theirs['id']}")).json()["name"] == "Surveys"
