"""Signatures: the vendors' own vectors pass, and nothing else does."""

import base64
import hmac
import json
from pathlib import Path

import msgspec
import pytest

from hub.signing import TOLERANCE_SECONDS, SignatureError, Signed, key_of, verify_standard, verify_typeform

SAMPLES = Path(__file__).parent / "signatures"
FORMBRICKS = json.loads((SAMPLES / "formbricks.json").read_text())
BODY = (SAMPLES / "formbricks_body.raw.json").read_bytes().removesuffix(b"\n")
SECRET = FORMBRICKS["secret"]
OTHER = "whsec_" + base64.b64encode(b"another").decode()
SIGNED = Signed(**{name: FORMBRICKS["headers"][f"webhook-{name}"] for name in ("id", "timestamp", "signature")})
THEN = float(SIGNED.timestamp)
TYPEFORM = json.loads((SAMPLES / "typeform.json").read_text())


def test_formbricks_own_vector_passes() -> None:
    verify_standard([SECRET], SIGNED, BODY, THEN)


def test_of_several_secrets_and_signatures_one_has_to_fit() -> None:
    """A connection may have several webhooks, and a vendor that changes its secret signs with both."""
    several = msgspec.structs.replace(SIGNED, signature=f"v1,{'A' * 43}= v2,x {SIGNED.signature}")
    verify_standard([OTHER, SECRET], several, BODY, THEN)


@pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS, 0, TOLERANCE_SECONDS])
def test_a_delivery_may_be_five_minutes_old(seconds: float) -> None:
    verify_standard([SECRET], SIGNED, BODY, THEN + seconds)


@pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_an_older_one_is_not_taken(seconds: float) -> None:
    """Whoever kept a delivery cannot send it again for ever; nor can it be from the future."""
    with pytest.raises(SignatureError, match="too old"):
        verify_standard([SECRET], SIGNED, BODY, THEN + seconds)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"signature": ""}, "not signed"),
        ({"id": ""}, "not signed"),
        ({"timestamp": ""}, "not signed"),
        ({"id": "another"}, "wrong"),
        ({"timestamp": str(int(THEN) + 1)}, "wrong"),
        ({"timestamp": "soon"}, "not a number"),
        ({"timestamp": "١٢"}, "not a number"),
        ({"timestamp": "1e9"}, "not a number"),
        ({"signature": "v1,"}, "wrong"),
        ({"signature": SIGNED.signature.removeprefix("v1,")}, "wrong"),
        ({"signature": SIGNED.signature.replace("v1", "v1a")}, "wrong"),
        ({"signature": SIGNED.signature[:-2] + "="}, "wrong"),
        ({"signature": "v1,é"}, "wrong"),
        ({"id": "é"}, "wrong"),
    ],
)
def test_whatever_is_changed_the_signature_is_wrong(changed: dict[str, str], reason: str) -> None:
    with pytest.raises(SignatureError, match=reason):
        verify_standard([SECRET], msgspec.structs.replace(SIGNED, **changed), BODY, THEN)


@pytest.mark.parametrize("body", [BODY + b"\n", BODY[:-1], b"", BODY.replace(b"9", b"8", 1)])
def test_the_body_is_signed_as_it_is(body: bytes) -> None:
    for secret in (SECRET, OTHER):
        with pytest.raises(SignatureError, match="wrong"):
            verify_standard([secret], SIGNED, body, THEN)


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(SignatureError, match="wrong"):
        verify_standard([], SIGNED, BODY, THEN)
    with pytest.raises(SignatureError, match="wrong"):
        verify_typeform([], TYPEFORM["valid_header_value"], TYPEFORM["raw_body_utf8"].encode())


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_@@", "whsec_abc", SECRET.removeprefix("whsec_")])
def test_a_secret_that_is_none_is_told(secret: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        key_of(secret)


def test_typeforms_own_vector_passes() -> None:
    verify_typeform(["another", TYPEFORM["secret"]], TYPEFORM["valid_header_value"], TYPEFORM["raw_body_utf8"].encode())


def _hmac(key: str, body: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), body.encode(), "sha256")).decode()


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("", "not signed"),
        ("sha256=", "wrong"),
        (TYPEFORM["invalid_hex_digest_value"], "wrong"),
        (TYPEFORM["valid_header_value"].removeprefix("sha256="), "wrong"),
        (TYPEFORM["valid_header_value"].replace("sha256", "sha1"), "wrong"),
        (TYPEFORM["valid_header_value"].lower(), "wrong"),
        (f"sha256={_hmac('another', TYPEFORM['raw_body_utf8'])}", "wrong"),
    ],
)
def test_another_signature_of_typeform_is_wrong(signature: str, reason: str) -> None:
    with pytest.raises(SignatureError, match=reason):
        verify_typeform([TYPEFORM["secret"]], signature, TYPEFORM["raw_body_utf8"].encode())
    with pytest.raises(SignatureError, match="wrong"):
        verify_typeform([TYPEFORM["secret"]], TYPEFORM["valid_header_value"], b"{}")
