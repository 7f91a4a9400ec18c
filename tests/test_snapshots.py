"""What is wanted of a payload is stored with it, and holds whenever it is flattened again."""

import json

from hub import snapshots
from hub.db import Pool, forms, submissions
from hub.db.erasures import Markers
from hub.db.submissions import Changes, Foreign, Stale
from hub.sources import SOURCES
from hub.sources.bodies import legible
from hub.sources.interface import Given, Options, Override, Scale

FORMBRICKS = SOURCES["formbricks"]
SURVEY = {"id": "sv", "questions": [{"id": "q", "type": "rating", "headline": {"default": "How was it?"}}]}


async def take(pool: Pool, markers: Markers, options: Options, **members: object) -> Changes:
    """A response arrives through a connection with these options."""
    body = {"id": "r", "surveyId": "sv", "createdAt": "2026-08-20T09:00:00Z", **members}
    snapshot = FORMBRICKS.snapshot(legible(json.dumps(body).encode()), Given())
    arrived = snapshots.submission(snapshot, "acme", "formbricks", options)
    flatten = snapshots.arrival(snapshot, arrived)
    result = await submissions.take(pool, markers, arrived, flatten)
    assert not isinstance(result, Stale | Foreign)
    return result[1]


async def define(pool: Pool, markers: Markers) -> int:
    """The survey arrives, and its submissions are flattened with it."""
    definition = legible(json.dumps(SURVEY).encode())
    await forms.put(pool, "acme", "formbricks", "sv", name=None, definition=definition, fields=1)
    again = snapshots.again("acme", "formbricks")
    return await submissions.flatten_again(pool, markers, "acme", "formbricks", "sv", again)


async def stored(pool: Pool) -> tuple[str, list[tuple[object, ...]]]:
    """The status of the submission; type, value and scale of its records."""
    found = await submissions.get(pool, "acme", "r", payload=False)
    assert found is not None
    records = [json.loads(record) for record in found[1]]
    return found[0].status, [
        (record["field_type"], record.get("value_number"), record["metadata"].get("scale")) for record in records
    ]


async def test_partial_response_waits_until_it_is_completed(pool: Pool, markers: Markers) -> None:
    """Its submission is there meanwhile, for completion rates; a definition that arrives does not let it out either."""
    options = Options(completed_only=True)

    assert (await take(pool, markers, options, data={"q": 4}, finished=False)).created == 0
    assert await define(pool, markers) == 1
    assert await stored(pool) == ("partial", [])
    assert (await take(pool, markers, options, data={"q": 4}, finished=True)).created == 1
    assert await stored(pool) == ("completed", [("rating", 4, None)])


async def test_override_holds_when_it_is_flattened_again(pool: Pool, markers: Markers) -> None:
    """Before the survey is known as well as after."""
    options = Options(questions={"q": Override(field_type="csat", scale=Scale(1, 5))})
    record = ("csat", 4, {"min": 1, "max": 5})

    await take(pool, markers, options, data={"q": 4}, finished=True)
    assert await stored(pool) == ("completed", [record])
    await define(pool, markers)
    assert await stored(pool) == ("completed", [record])


async def test_options_of_the_latest_arrival_count(pool: Pool, markers: Markers) -> None:
    """So a connection that changes them has only to send again what came before."""
    await take(pool, markers, Options(), data={"q": 4}, finished=True)
    changes = await take(
        pool, markers, Options(questions={"q": Override(field_type="ces")}), data={"q": 4}, finished=True
    )

    assert (changes.created, changes.updated) == (0, 1)
    assert await stored(pool) == ("completed", [("ces", 4, None)])
