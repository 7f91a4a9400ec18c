"""How vendors sign what they deliver.

Over the bytes as they came: a payload is not even parsed before it is known to be the vendor's.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable

from msgspec import Struct

PREFIX = "whsec_"
# How old a signed delivery may be, and how far ahead the clock of the vendor.
TOLERANCE_SECONDS = 300
_VERSION = "v1,"
_TYPEFORM = "sha256="


class SignatureError(Exception):
    """Why a delivery is not taken for the vendor's."""


class Signed(Struct, frozen=True, kw_only=True):
    """The headers of Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`), empty where absent."""

    id: str
    timestamp: str
    signature: str


def key_of(secret: str) -> bytes:
    """The bytes of a secret of Standard Webhooks. Raises `ValueError` for a text that is none."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"must begin with {PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError(f"must be {PREFIX} and base64")
    return key


def verify_standard(secrets: Iterable[str], signed: Signed, body: bytes, now: float) -> None:
    """Whether Formbricks sent this, and lately (Standard Webhooks). Raises `SignatureError`."""
    if not (signed.id and signed.timestamp and signed.signature):
        raise SignatureError("The delivery is not signed")
    if not (signed.timestamp.isascii() and signed.timestamp.isdigit()):
        raise SignatureError("The time of the signature is not a number of seconds")
    if abs(now - float(signed.timestamp)) > TOLERANCE_SECONDS:
        raise SignatureError("The signature is too old, or from the future")
    message = b".".join((signed.id.encode("latin-1"), signed.timestamp.encode(), body))
    given = [text.removeprefix(_VERSION) for text in signed.signature.split() if text.startswith(_VERSION)]
    if not any(_matches(key_of(secret), message, text) for secret in secrets for text in given):
        raise SignatureError("The signature is wrong")


def verify_typeform(secrets: Iterable[str], signature: str, body: bytes) -> None:
    """Whether Typeform sent this. It signs no time. Raises `SignatureError`."""
    if not signature:
        raise SignatureError("The delivery is not signed")
    given = signature.removeprefix(_TYPEFORM) if signature.startswith(_TYPEFORM) else ""
    if not any(_matches(secret.encode(), body, given) for secret in secrets):
        raise SignatureError("The signature is wrong")


def _matches(key: bytes, message: bytes, given: str) -> bool:
    wanted = base64.b64encode(hmac.digest(key, message, "sha256"))
    return hmac.compare_digest(wanted, given.encode(errors="replace"))
