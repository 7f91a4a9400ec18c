"""Roles that read the views of the schema `analytics`, each for its tenants, and nothing else."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from hub.db import Connection, query

_CREATE = query("bi/create_reader")
_DROP = query("bi/drop_reader")
_ADMIT = query("bi/admit")
_DISMISS = query("bi/dismiss")
_READERS = query("bi/readers")

_ITERATIONS = 4096


async def create_reader(connection: Connection, name: str, tenants: Sequence[str]) -> str:
    """Makes the role; its password, which nobody can read again. A role of this name is an error."""
    password = secrets.token_urlsafe(24)
    async with connection.transaction():
        statements: str = await connection.fetchval(_CREATE, name, _verifier(password))
        await connection.execute(statements)
        await connection.execute(_ADMIT, name, list(tenants))
    return password


async def drop_reader(connection: Connection, name: str) -> bool:
    """Whether there was such a reader. Other roles are left alone."""
    async with connection.transaction():
        if not await connection.fetchval(_DISMISS, name):
            return False
        statements: str = await connection.fetchval(_DROP, name)
        await connection.execute(statements)
    return True


async def readers(connection: Connection) -> list[tuple[str, list[str]]]:
    """Names and their tenants."""
    return [(row["role"], row["tenants"]) for row in await connection.fetch(_READERS)]


def _verifier(password: str) -> str:
    """What Postgres keeps of a password (SCRAM-SHA-256, RFC 5803)."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored_text}:{server_text}"
