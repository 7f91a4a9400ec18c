"""The one way out: patient with vendors, and not to be led where it should not go."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from msgspec import Raw, Struct

from hub.pull.http import Api, Outgoing, allowed_addresses
from hub.pull.interface import AddressError, RefusedError, UnavailableError, VendorError
from tests.vendors.clock import Clock, outgoing
from tests.vendors.formbricks import v1_error, v2_error, v3_error
from tests.vendors.server import Answer, Request, Server
from tests.vendors.typeform import error as typeform_error

KEY = "fbk_secret_of_the_connection"


class Echo(Server):
    """Answers with what it was asked."""

    def answer(self, request: Request) -> Answer:
        return Answer(200, {"path": request.path, "host": request.headers["host"]})


class Echoed(Struct):
    path: str
    host: str


@pytest.fixture
def vendor() -> Iterator[Echo]:
    with Echo() as server:
        yield server


def api(url: str, how: Outgoing, key: str = KEY) -> Api:
    return Api(url, {"x-api-key": key}, how)


async def ask(url: str, how: Outgoing, method: str = "GET") -> Echoed:
    asked = api(url, how)
    try:
        return await asked.request(method, "/things", Echoed)
    finally:
        await asked.close()


async def failure(url: str, how: Outgoing, method: str = "GET") -> VendorError:
    with pytest.raises(VendorError) as failed:
        await ask(url, how, method)
    assert KEY not in str(failed.value)
    return failed.value


BUSY = [v1_error(429), v2_error(429), Answer(500, b"oops"), Answer(502, b"<html>"), Answer(503), Answer(504)]


async def test_a_busy_vendor_is_asked_again_later_and_later(vendor: Echo) -> None:
    clock = Clock()
    vendor.misbehave(*BUSY)
    assert (await ask(vendor.url, outgoing(clock))).path == "/things"
    assert len(vendor.requests) == 7
    for attempt, wait in enumerate(clock.waits):
        assert 0.5 * 2**attempt <= wait <= 2**attempt


async def test_patience_has_an_end(vendor: Echo) -> None:
    clock = Clock()
    vendor.misbehave(*[Answer(503, {"message": "down for repair"})] * 8)
    failed = await failure(vendor.url, outgoing(clock))
    assert isinstance(failed, UnavailableError)
    assert str(failed) == f"{vendor.url} answered 503: down for repair, 8 times"
    assert len(clock.waits) == 7


@pytest.mark.parametrize(
    ("after", "least"), [("20", 20), ("soon", 0), ("-5", 0), ("²", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
)
async def test_a_vendor_that_says_when_is_not_asked_before(vendor: Echo, after: str, least: float) -> None:
    """What says nothing of use leaves it to our guess."""
    clock = Clock()
    vendor.misbehave(Answer(429, {}, {"retry-after": after}))
    await ask(vendor.url, outgoing(clock))
    [wait] = clock.waits
    assert least <= wait <= max(least, 1)


async def test_a_wait_beyond_patience_is_left_to_the_next_pull(vendor: Echo) -> None:
    """As a number of seconds or as a date."""
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(hours=23), usegmt=True)
    for after, told in ((tomorrow, 23 * 3600), ("3600", 3600), ("9" * 400, 86400)):
        clock = Clock()
        vendor.misbehave(Answer(429, {}, {"retry-after": after}))
        failed = await failure(vendor.url, outgoing(clock))
        assert isinstance(failed, UnavailableError)
        assert failed.retry_after == pytest.approx(told, abs=300)
        assert clock.waits == []


async def test_answers_that_are_none_are_asked_for_again(vendor: Echo) -> None:
    """A proxy's page, half an answer, another shape, no JSON, a wrong compression."""
    broken = [
        Answer(200, b"<html>Please log in</html>"),
        Answer(200, {"path": "/things", "host": "x"}, cut_after=10),
        Answer(200, {"path": 5}),
        Answer(200, b'{"path": "\\ud8'),
        Answer(200, b"not gzip", {"content-encoding": "gzip"}),
        Answer(200, b""),
    ]
    vendor.misbehave(*broken)
    assert (await ask(vendor.url, outgoing(Clock()))).path == "/things"
    assert len(vendor.requests) == 7


async def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_agreed(vendor: Echo) -> None:
    vendor.misbehave(Answer(silent=True))
    assert (await ask(vendor.url, outgoing(Clock(), timeout_seconds=0.2))).path == "/things"


async def test_an_answer_that_only_trickles_is_given_up(vendor: Echo) -> None:
    """Each part comes in time, and there is no end of them."""
    vendor.misbehave(Answer(trickles=True))
    failed = await failure(vendor.url, outgoing(Clock(), timeout_seconds=0.2, attempts=1))
    assert str(failed).endswith("cannot be reached (no answer in time)")


async def test_an_answer_without_bounds_is_not_kept(vendor: Echo) -> None:
    """A little on the wire, and more than memory should hold of one answer."""
    bomb = gzip.compress(b'"' + b" " * (65 << 20) + b'"', 9)
    vendor.misbehave(Answer(200, bomb, {"content-encoding": "gzip"}))
    failed = await failure(vendor.url, outgoing(Clock(), attempts=1))
    assert str(failed) == f"{vendor.url} answered something else than its API does"


async def test_texts_that_postgres_refuses_come_repaired(vendor: Echo) -> None:
    """One such answer must not cost its whole page."""
    vendor.misbehave(Answer(200, b'{"path": "a\\u0000b", "host": "\\ud800"}'))
    echoed = await ask(vendor.url, outgoing(Clock()))
    assert (echoed.path, echoed.host) == ("a\ufffdb", "\ufffd")


async def test_nobody_there_is_tried_again_and_told() -> None:
    clock = Clock()
    with Echo() as server:
        url = server.url
    failed = await failure(url, outgoing(clock, attempts=3))
    assert str(failed).startswith(f"{url} cannot be reached (")
    assert len(clock.waits) == 2


async def test_what_would_happen_twice_is_not_sent_twice(vendor: Echo) -> None:
    """A webhook may have been created before the connection broke. Refused unseen, it was not."""
    for broken in (Answer(500, {}), Answer(200, {}, cut_after=1), Answer(200, b"<html>")):
        vendor.misbehave(broken)
        assert isinstance(await failure(vendor.url, outgoing(Clock()), "POST"), UnavailableError)
    assert len(vendor.requests) == 3
    vendor.misbehave(v1_error(429), Answer(503))
    assert (await ask(vendor.url, outgoing(Clock()), "POST")).path == "/things"
    for method in ("PUT", "DELETE"):
        vendor.misbehave(Answer(500))
        assert (await ask(vendor.url, outgoing(Clock()), method)).path == "/things"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (v1_error(401), "401: Not authenticated"),
        (v2_error(422), "422: Unprocessable Entity; limit Too big: expected number to be <=250"),
        (v3_error(403), "403: Not allowed; Refused"),
        (typeform_error(400, "VALIDATION_ERROR", "invalid request"), "400: invalid request"),
        (Answer(400, {"error": "Duplicate response"}), "400: Duplicate response"),
        (Answer(404, {"errors": [{"title": "Not found"}]}), "404: Not found"),
        (Answer(404, b"<html>404</html>"), "404"),
        (Answer(403, [1, "x"]), "403"),
        (Answer(400, {"message": "much too long\n" * 1000}), "400: " + ("much too long " * 100)[:300]),
    ],
)
async def test_a_refusal_is_final_and_says_why_in_the_words_of_the_vendor(
    vendor: Echo, answer: Answer, said: str
) -> None:
    clock = Clock()
    vendor.misbehave(answer)
    failed = await failure(vendor.url, outgoing(clock))
    assert isinstance(failed, RefusedError)
    assert failed.status == answer.status
    assert str(failed) == f"{vendor.url} answered {said}"
    assert clock.waits == []


async def test_a_redirect_is_not_followed(vendor: Echo) -> None:
    """The key goes where its owner said."""
    with Echo() as other:
        vendor.misbehave(Answer(302, b"", {"location": f"{other.url}/things?secret=1"}))
        failed = await failure(vendor.url, outgoing(Clock()))
        assert other.requests == []
    assert str(failed).endswith("answered 302 and points elsewhere: give the address that answers itself")


# Where it may go.


async def test_private_addresses_are_asked_only_if_that_is_allowed(vendor: Echo) -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0"):
        url = vendor.url.replace("127.0.0.1", host)
        failed = await failure(url, outgoing(Clock(), allow_private=False))
        assert isinstance(failed, AddressError), host
        assert "ALLOW_PRIVATE_ADDRESSES" in str(failed)
    assert vendor.requests == []
    await ask(vendor.url, outgoing(Clock()))
    assert len(vendor.requests) == 1


async def test_the_address_that_was_checked_is_the_one_that_is_asked() -> None:
    """A name that answers differently to a second question, as one made for this does, gains nothing: there is none."""
    answers = [["127.0.0.2"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        assert host == "vendor.example"
        return answers.pop(0)

    with Echo(host="127.0.0.2") as server:
        port = server.url.rpartition(":")[2]
        how = outgoing(Clock(), attempts=1)
        how = Outgoing(allow_private=True, attempts=1, resolve=resolve, now=how.now, sleep=how.sleep)
        echoed = await ask(f"http://vendor.example:{port}", how)
    assert echoed.host == f"vendor.example:{port}"
    assert answers == [["127.0.0.1"]]


async def test_of_several_addresses_those_that_may_not_be_asked_are_left_out() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "2606:4700::1111", "169.254.169.254", "93.184.215.14"]

    found = await allowed_addresses("vendor.example", 443, Outgoing(resolve=resolve))
    assert found == ["2606:4700::1111", "93.184.215.14"]


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.3", "127.0.0.2"]

    clock = Clock()
    with Echo(host="127.0.0.2") as server:
        port = server.url.rpartition(":")[2]
        how = Outgoing(allow_private=True, attempts=1, resolve=resolve, now=clock.now, sleep=clock.sleep)
        assert (await ask(f"http://vendor.example:{port}", how)).path == "/things"


async def test_certificates_are_checked_against_the_name() -> None:
    """Though the connection is made to an address."""
    presented: list[str | None] = []

    def named(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int:
        presented.append(name)
        return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("the handshake fails")

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = named
    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=context)
    clock = Clock()
    async with server:
        port = server.sockets[0].getsockname()[1]
        how = Outgoing(allow_private=True, attempts=1, resolve=resolve, now=clock.now, sleep=clock.sleep)
        assert isinstance(await failure(f"https://vendor.example:{port}", how), UnavailableError)
    assert presented == ["vendor.example"]


async def test_a_host_that_does_not_exist_is_told_at_once() -> None:
    """A resolver in trouble is asked again instead."""
    clock = Clock()
    for number, kind in ((socket.EAI_NONAME, AddressError), (socket.EAI_AGAIN, UnavailableError)):

        async def resolve(host: str, port: int, number: int = number) -> list[str]:
            raise socket.gaierror(number, "whatever")

        how = Outgoing(attempts=3, resolve=resolve, now=clock.now, sleep=clock.sleep)
        assert isinstance(await failure("https://vendor.example", how), kind)
    assert len(clock.waits) == 2


@pytest.mark.parametrize("key", ["ключ", "fbk_one\nx-other: two", "fbk_\x00"])
async def test_a_key_that_cannot_be_sent_is_not_quoted(vendor: Echo, key: str) -> None:
    asked = api(vendor.url, outgoing(Clock()), key)
    with pytest.raises(RefusedError, match=r"^The key has characters that no key has$"):
        await asked.get("/things", Echoed)
    await asked.close()
    assert vendor.requests == []


async def test_an_address_of_version_six_is_asked_as_well() -> None:
    try:
        server = Echo(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        assert (await ask(server.url, outgoing(Clock()))).host == server.url.removeprefix("http://")


@pytest.mark.parametrize(
    "url",
    ["ftp://vendor.example", "file:///etc/passwd", "vendor.example", "", "https://", "https://user:secret@vendor.example",
     "https://vendor.example?x=1", "https://vendor.example#x", "https://[::1", "https://vendor.example:99999"],
)  # fmt: skip
def test_what_is_no_address_of_an_api_is_refused(url: str) -> None:
    with pytest.raises(AddressError) as failed:
        api(url, Outgoing())
    assert "secret" not in str(failed.value)


async def test_a_path_in_the_address_stays(vendor: Echo) -> None:
    """Some servers are below one."""
    assert (await ask(f"{vendor.url}/feedback/", outgoing(Clock()))).path == "/feedback/things"


async def test_an_empty_success_is_null(vendor: Echo) -> None:
    vendor.misbehave(Answer(204))
    asked = api(vendor.url, outgoing(Clock()))
    assert await asked.request("DELETE", "/things", Raw) == Raw(b"null")
    await asked.close()
