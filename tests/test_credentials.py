"""Credentials come out of the vault as they went in, and the sealed text tells nothing."""

from typing import get_args

import msgspec
import pytest

from hub.credentials import (
    KINDS,
    Connectable,
    Credentials,
    Formbricks,
    Kept,
    SatisMeter,
    Typeform,
    Vault,
    hook_path,
    new_token,
)
from hub.db import new_id
from hub.sources import SOURCES
from tests.conftest import SECRET_KEY

OTHER_KEY = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
EXAMPLES = {
    "formbricks": Formbricks(api_key="fbk_k", webhook_secrets=("whsec_a", "whsec_b"), accept_unsigned=True),
    "typeform": Typeform(access_token="tfp_k", webhook_secrets=("s",)),
    "satismeter": SatisMeter(api_key="k", project_id="p", insert_key="w"),
}


@pytest.mark.parametrize("source", KINDS)
def test_what_is_sealed_can_be_opened(source: str) -> None:
    vault, kept = Vault(SECRET_KEY), Kept(token="the-token", credentials=EXAMPLES[source])

    sealed = vault.seal(kept)
    assert vault.open(source, sealed) == kept
    assert vault.seal(kept) != sealed


def test_the_sealed_text_tells_nothing() -> None:
    sealed = Vault(SECRET_KEY).seal(Kept(token="the-token", credentials=EXAMPLES["formbricks"]))

    assert not any(secret in sealed for secret in ("the-token", "fbk_k", "whsec_a"))
    for vault, text in ((Vault(OTHER_KEY), sealed), (Vault(SECRET_KEY), sealed[:-8] + "AAAAAAA=")):
        lost = vault.open("formbricks", text)
        assert lost.credentials == Formbricks()
        assert lost.token != "the-token"


def test_hashes_of_secrets_depend_on_the_key() -> None:
    """A copy of the database does not tell whether a key that somebody guesses is one of them."""
    assert Vault(SECRET_KEY).digest("x") == Vault(SECRET_KEY).digest("x")
    assert Vault(SECRET_KEY).digest("x") != Vault(OTHER_KEY).digest("x")
    assert Vault(SECRET_KEY).digest("x") != Vault(SECRET_KEY).digest("y")


def test_a_secret_is_found_by_its_hash() -> None:
    vault = Vault(SECRET_KEY)
    sealed = vault.columns(Kept(token="the-token", credentials=EXAMPLES["satismeter"]))

    assert (sealed.token_hash, sealed.insert_key_hash) == (vault.digest("the-token"), vault.digest("w"))
    assert vault.columns(Kept(token="t", credentials=Typeform())).insert_key_hash is None


def test_only_sources_can_be_connected() -> None:
    assert set(KINDS) == set(get_args(Connectable)) <= set(SOURCES)
    for kind in KINDS.values():
        assert issubclass(kind, Credentials)
        kind()  # nothing is required: what is missing is found out at the vendor


def test_a_token_cannot_be_guessed_and_fits_into_an_address() -> None:
    token = new_token()
    assert len(token) >= 43
    assert msgspec.json.encode(token).decode().strip('"') == token
    assert token != new_token()
    connection_id = new_id()
    assert hook_path(connection_id, token) == f"/hooks/{connection_id}/{token}"
