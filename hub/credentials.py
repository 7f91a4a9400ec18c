"""What opens a survey tool to the hub and the hub to a survey tool, one struct a source, and the vault they are kept in.

They stand beside the sources, not in them: a source reads payloads and knows of no network.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from msgspec import Meta, Raw, Struct

Secret = Annotated[str, Meta(min_length=1, max_length=2000)]
Secrets = Annotated[tuple[Secret, ...], Meta(max_length=50)]


class Credentials(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What every source has in common, though not every one uses it."""

    webhook_secrets: Secrets = ()
    """A delivery is signed with one of these. A tool may have several webhooks for one connection, each with a secret."""
    insert_key: Secret | None = None
    """What servers send along with responses that they insert, as they would at the vendor."""


class Formbricks(Credentials, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key of its management API."""

    api_key: Secret | None = None
    accept_unsigned: bool = False
    """Webhooks from before 2026 have no secret."""


class Typeform(Credentials, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A personal access token."""

    access_token: Secret | None = None


class SatisMeter(Credentials, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key of the API and the project it is for, which the API does not tell."""

    api_key: Secret | None = None
    project_id: Secret | None = None


Connectable = Literal["formbricks", "typeform", "satismeter"]
"""The sources that can be connected."""

KINDS: Mapping[str, type[Credentials]] = MappingProxyType(
    {"formbricks": Formbricks, "typeform": Typeform, "satismeter": SatisMeter}
)


class Kept(Struct, frozen=True, kw_only=True):
    """What is in the vault for one connection."""

    token: str
    """The last part of the address that the vendor delivers to: nobody guesses it."""
    credentials: Credentials


class Sealed(Struct, frozen=True, kw_only=True):
    """What the database has of it, by the names of its columns."""

    credentials: str
    token_hash: bytes
    insert_key_hash: bytes | None


class _Content(Struct, frozen=True):
    token: str
    credentials: Raw


class Vault:
    """Encrypts what the database must not tell, and names secrets by hashes that nobody without SECRET_KEY can make."""

    def __init__(self, secret: str) -> None:
        self._fernet = Fernet(secret)
        self._key = hmac.digest(base64.urlsafe_b64decode(secret), b"connections", "sha256")

    def seal(self, kept: Kept) -> str:
        return self._fernet.encrypt(msgspec.json.encode(kept)).decode()

    def columns(self, kept: Kept) -> Sealed:
        insert_key = kept.credentials.insert_key
        return Sealed(
            credentials=self.seal(kept),
            token_hash=self.digest(kept.token),
            insert_key_hash=None if insert_key is None else self.digest(insert_key),
        )

    def open(self, source: str, sealed: str) -> Kept:
        """What another SECRET_KEY sealed is lost: then there are no credentials, and the address is not known any more."""
        try:
            text = self._fernet.decrypt(sealed)
        except InvalidToken:
            return Kept(token=new_token(), credentials=KINDS[source]())
        found = msgspec.json.decode(text, type=_Content)
        return Kept(token=found.token, credentials=msgspec.json.decode(found.credentials, type=KINDS[source]))

    def digest(self, text: str | bytes) -> bytes:
        data = text.encode(errors="surrogateescape") if isinstance(text, str) else text
        return hmac.digest(self._key, data, "sha256")


def new_token() -> str:
    """The last part of an address of a hook: 256 random bits."""
    return secrets.token_urlsafe(32)


def hook_path(connection_id: UUID, token: str) -> str:
    """Where a vendor delivers to."""
    return f"/hooks/{connection_id}/{token}"
