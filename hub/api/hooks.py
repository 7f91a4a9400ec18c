"""`/hooks`: where survey tools deliver to. No bearer key: the address is a secret, and what is delivered is signed.

A vendor wants an answer at once, and takes many answers for a reason to deliver no more. So what is signed is stored or kept
among the rejects, and answered 200, whatever is in it.
"""

import asyncio
import time
from typing import Literal

import msgspec
from litestar import post
from litestar.params import FromPath
from msgspec import Raw, Struct

from hub import intake
from hub.api import problems
from hub.api.edge import NO_HOOK
from hub.api.openapi import AnyJson, Operation
from hub.api.problems import (
    BadRequest,
    InvalidParam,
    Problem,
    ServiceUnavailable,
    Unauthorized,
    Unprocessable,
    ValidationFailed,
)
from hub.api.strict import StrictRequest, record_id
from hub.credentials import Credentials, Formbricks
from hub.db import connections, deliveries, unavailable
from hub.db.connections import ConnectionRow
from hub.db.deliveries import Unread
from hub.intake import Tally
from hub.signing import SignatureError, Signed, verify_standard, verify_typeform
from hub.sources.bodies import legible
from hub.sources.interface import FormNeededError, NotOfSourceError, UnreadableError
from hub.sources.values import Members, members_of

MAX_BODY_BYTES = 2 * 1024 * 1024
# Formbricks waits for five seconds, but its users wait with it: a second is what they would notice. What is not stored by then,
# because others hold up the same submission, is kept to be stored later.
STORE_SECONDS, ANSWER_SECONDS = 0.5, 0.9

_PING = b'{"event":"testEndpoint"}'
_BLANKS = b" \t\r\n"

Outcome = Literal["stored", "kept", "known", "unwanted", "nothing"]


class Delivered(Struct, frozen=True):
    """What became of a delivery: `kept` is what could not be stored yet, and waits among the rejects."""

    outcome: Outcome


@post(
    "/hooks/{connection:str}/{token:str}",
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope=None, tag="hooks", body=AnyJson, body_description="A webhook delivery of the survey tool",
            answers={200: Delivered}, problems=(400, 401, 413, 503),
        )
    },
)  # fmt: skip
async def take_delivery(request: StrictRequest, connection: FromPath[str], token: FromPath[str]) -> Delivered:
    """Take what a survey tool delivers.

    The address is told when a connection is made. An unknown or revoked one is 401, and so is a delivery that is not signed as
    the survey tool signs; a paused connection still stores.
    """
    row = await _connection(request, connection, token)
    request.exchange.tenant_id = row.tenant_id
    body = await request.body()
    async with asyncio.timeout(ANSWER_SECONDS):
        outcome = await _delivered(request, row, body)
    return Delivered(outcome)


async def _connection(request: StrictRequest, connection: str, token: str) -> ConnectionRow:
    try:
        connection_id = record_id(connection)
    except ValidationFailed:
        raise Unauthorized(NO_HOOK) from None
    row = await connections.find_by_token(request.pool, connection_id, request.vault.digest(token))
    if row is None:
        raise Unauthorized(NO_HOOK)
    return row


async def _delivered(request: StrictRequest, row: ConnectionRow, body: bytes) -> Outcome:
    opened = request.vault.open(row.source, row.credentials).credentials
    if _is_ping(row, opened, body):
        return "nothing"
    try:
        _verify(request, row, opened, body)
    except SignatureError as error:
        async with request.pool.acquire() as connection:
            await connections.failed(connection, row.id, str(error))
        raise Unauthorized(str(error)) from None
    payload = _legible(body)
    delivery = request.vault.digest(_named(request, row, payload if isinstance(payload, Raw) else Raw(body)))
    if await deliveries.is_known(request.pool, row, delivery):
        await deliveries.repeated(request.pool, row)
        return "known"
    tally, problem = await _taken(request, row, payload)
    request.exchange.counts = {
        "submissions": tally.submissions,
        "stale": tally.stale,
        "kept": int(problem is not None),
    }
    if tally.unwanted and not tally.submissions and problem is None:
        await deliveries.count(request.pool, row)
        return "unwanted"
    stored = tally.submissions - tally.stale
    unread = None if problem is None else _unread(request, body, problem)
    await deliveries.settle(request.pool, row, delivery, stored=stored, unread=unread, undefined=tally.undefined)
    if unread is not None:
        return "kept"
    return "stored" if tally.submissions else "nothing"


def _is_ping(row: ConnectionRow, opened: Credentials, body: bytes) -> bool:
    """Formbricks tries the address before it tells the secret, and so before anybody can verify that it does."""
    return row.source == "formbricks" and not opened.webhook_secrets and body.translate(None, _BLANKS) == _PING


def _verify(request: StrictRequest, row: ConnectionRow, opened: Credentials, body: bytes) -> None:
    """Raises `SignatureError`. SatisMeter does not sign."""
    if row.source == "typeform":
        verify_typeform(opened.webhook_secrets, request.headers.get("typeform-signature", ""), body)
    elif isinstance(opened, Formbricks):
        signed = Signed(**{name: request.headers.get(f"webhook-{name}", "") for name in Signed.__struct_fields__})
        if not (opened.accept_unsigned and not signed.signature):
            verify_standard(opened.webhook_secrets, signed, body, time.time())


def _legible(body: bytes) -> Raw | UnreadableError:
    try:
        return legible(body)
    except UnreadableError as error:
        return error


def _named(request: StrictRequest, row: ConnectionRow, payload: Raw) -> bytes:
    """What tells a delivery from others: the id of the vendor, if it is signed, or what it says.

    Typeform gives each attempt an id of its own; the response in it, with its token, is the same.
    """
    if row.source == "formbricks" and request.headers.get("webhook-signature"):
        return b"id " + request.headers["webhook-id"].encode("latin-1")
    response = Members() if row.source != "typeform" else _members(payload)
    return b"body " + (bytes(response["form_response"]) or bytes(payload))


def _members(payload: Raw) -> Members:
    try:
        return members_of(payload)
    except (ValueError, RecursionError):  # it is no JSON at all
        return Members()


async def _taken(
    request: StrictRequest, row: ConnectionRow, payload: Raw | UnreadableError
) -> tuple[Tally, Problem | None]:
    """What was stored, and why not all of it was. Raises what says that the database is away: then the vendor tries again."""
    if isinstance(payload, UnreadableError):
        return Tally(), BadRequest(str(payload))
    try:
        async with asyncio.timeout(STORE_SECONDS):
            tally = await intake.take_for(request.pool, request.markers, row, payload)
    except Exception as error:  # noqa: BLE001 - whatever it is, a mistake of ours included, must not cost the answers
        return Tally(), _reason(error, request.exchange.request_id)
    if tally.errors:
        faults = [InvalidParam(f"[{error.index}]", error.problem) for error in tally.errors]
        return tally, Unprocessable("The payload could not be read", invalid_params=faults)
    return tally, None


def _reason(error: Exception, request_id: str) -> Problem:
    """Why nothing could be stored. Raises the error again that says that nothing can be kept either."""
    match error:
        case NotOfSourceError():
            return BadRequest(str(error))
        case FormNeededError():
            return Unprocessable("The payload does not name its form")
        case TimeoutError():
            return ServiceUnavailable("Something else held up the submission")
    if unavailable(error):
        raise error
    return problems.from_exception(error, request_id)


def _unread(request: StrictRequest, body: bytes, problem: Problem) -> Unread:
    base, request_id = request.exchange.problem_base, request.exchange.request_id
    document = problem.document(base=base, instance="", request_id=request_id)
    return Unread(
        raw=body.decode(errors="backslashreplace").replace("\0", "\\x00"),
        status=problem.status,
        problem=Raw(msgspec.json.encode(document)),
        error=f"A payload is kept, because it could not be stored: {problem.detail}",
        was_held_up=isinstance(problem, ServiceUnavailable),
    )


ROUTES = (take_delivery,)
