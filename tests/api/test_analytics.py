"""Metrics over HTTP: the numbers, their parts, and the way back to the records."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.api.test_records import Connection
from tests.conftest import make_record

URL = "/v1/analytics"
RECORDS = "/v1/feedback-records"


async def stored(client: httpx.AsyncClient, *records: Mapping[str, object]) -> None:
    """Records that differ in their submission, unless they name one."""
    for number, record in enumerate(records):
        answer = await client.post(
            RECORDS, json=make_record(**{"submission_id": f"s{number}", "value_text": ..., **record})
        )
        assert answer.status_code == 201, answer.text


def score(value: object, day: str = "2026-08-03", **more: object) -> dict[str, object]:
    return {"field_id": "nps", "field_type": "nps", "value_number": value, "collected_at": f"{day}T12:00:00Z", **more}


async def measured(client: httpx.AsyncClient, metric: str, query: str = "") -> Any:
    answer = await client.get(f"{URL}/{metric}?tenant_id=acme&{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_score_with_its_parts(client: httpx.AsyncClient) -> None:
    """Everything beside the number that tells how far to trust it."""
    await stored(client, *map(score, [9, 10, 8.5, 7, 6.9, 0, 11, -1, None, 9.0]))
    answer = await measured(client, "nps")
    assert answer == {
        "metric": "nps",
        "filters": {"tenant_id": "acme"},
        "total": {
            "count": 7, "invalid_count": 3, "low_sample": True, "nps": pytest.approx(100 / 7), "promoters": 3, "passives": 2,
            "detractors": 2, "margin_of_error": pytest.approx(61.7, abs=0.05), "ci_low": pytest.approx(-39.6, abs=0.05),
            "ci_high": pytest.approx(59.6, abs=0.05),
        },
        "records": "tenant_id=acme&field_type=nps",
    }  # fmt: skip


async def test_no_answers_are_no_score(client: httpx.AsyncClient) -> None:
    """Without data there is no number; nothing is never zero."""
    answer = await measured(client, "nps", "interval=day&group_by=language")
    assert answer["total"] == {
        "count": 0, "invalid_count": 0, "low_sample": True, "nps": None, "promoters": 0, "passives": 0, "detractors": 0,
        "margin_of_error": None, "ci_low": None, "ci_high": None,
    }  # fmt: skip
    assert (answer["series"], answer["groups"], answer["groups_omitted"]) == ([], [], 0)


async def test_weeks_begin_on_monday_and_empty_ones_are_there(client: httpx.AsyncClient) -> None:
    """Sunday night belongs to the week before, in the time zone that is asked for."""
    await stored(client, score(9, collected_at="2026-08-09T22:30:00Z"), score(0, "2026-08-27"))

    answer = await measured(client, "nps", "interval=week")
    assert [(bucket["bucket"], bucket["nps"]) for bucket in answer["series"]] == [
        ("2026-08-03", 100), ("2026-08-10", None), ("2026-08-17", None), ("2026-08-24", -100),
    ]  # fmt: skip
    answer = await measured(client, "nps", "interval=week&tz=Europe/Berlin")
    assert [(bucket["bucket"], bucket["nps"]) for bucket in answer["series"]] == [
        ("2026-08-10", 100), ("2026-08-17", None), ("2026-08-24", -100),
    ]  # fmt: skip


async def test_every_number_leads_to_its_records(client: httpx.AsyncClient) -> None:
    """The list behind each total, bucket and group is as long as its counts say."""
    await stored(
        client,
        *(
            score(number % 12, f"2026-08-{number + 1:02}", language=language, metadata={"plan": {"name": plan}})
            for number, (language, plan) in enumerate([("de", "pro"), ("fr", "pro"), ("de", "free")] * 6)
        ),
    )
    for query in (
        "interval=week&group_by=language",
        "interval=day&group_by=metadata.plan.name&since=2026-08-03T09:00:00Z&tz=Asia/Kathmandu",
        "interval=month&group_by=field_id&until=2026-08-09T00:00:00Z&language=de&compare=previous&since=2026-08-05T00:00:00Z",
    ):
        answer = await measured(client, "nps", query)
        parts = [{**answer["total"], "records": answer["records"]}, *answer["series"], *answer["groups"]]
        parts += [bucket for group in answer["groups"] for bucket in group["series"]]
        parts += [answer["previous"]] if "compare" in query else []
        assert len(parts) > 3
        for part in parts:
            count = await client.get(f"{RECORDS}/count?{part['records']}")
            assert count.json()["count"] == part["count"] + part["invalid_count"], part
    assert sum(group["count"] for group in answer["groups"]) == answer["total"]["count"]

    # Of volume, `records` is how many there are.
    answer = await measured(client, "volume", "interval=week&group_by=language")
    for part in [*answer["series"], *answer["groups"]]:
        count = await client.get(f"{RECORDS}/count?{part['records_query']}")
        assert count.json()["count"] == part["records"] == part["count"]


async def test_groups_by_the_answer_to_another_question(client: httpx.AsyncClient) -> None:
    """The largest group comes first, under its latest label; who did not answer that question is a group without a key."""
    await stored(
        client,
        *(score(number) for number in (10, 9, 2, 8)),
        {"submission_id": "s0", "field_id": "role", "field_type": "categorical", "value_id": "dev", "value_text": "Developer",
         "collected_at": "2026-08-02T00:00:00Z"},
        {"submission_id": "s1", "field_id": "role", "field_type": "categorical", "value_id": "dev", "value_text": "Engineer"},
        {"submission_id": "s2", "field_id": "role", "field_type": "categorical", "value_text": " Boss "},
        {"submission_id": "s2", "field_id": "other", "field_type": "number", "value_number": 3},
    )  # fmt: skip
    answer = await measured(client, "nps", "group_by=answer:role")
    assert [(group["key"], group["label"], group["nps"], group["records"]) for group in answer["groups"]] == [
        ("dev", "Engineer", 100, None), ("boss", " Boss ", -100, None), (None, None, 0, None),
    ]  # fmt: skip
    assert [group["key"] for group in (await measured(client, "nps", "group_by=answer:other"))["groups"]] == [None, "3"]


async def test_comparison_with_the_period_before(client: httpx.AsyncClient) -> None:
    """The period of the same length that ends where this one begins, and whether the difference is more than chance."""
    await stored(
        client,
        *(score(10 if number % 10 else 0, "2026-08-10") for number in range(40)),
        *(score(10 if number % 2 else 0, "2026-08-03") for number in range(40)),
        score(0, "2026-08-02"),
    )
    answer = await measured(
        client, "nps", "compare=previous&since=2026-08-10T00:00:00Z&until=2026-08-16T23:59:59.999999Z"
    )
    assert (answer["total"]["nps"], answer["previous"]["nps"]) == (80, 0)
    # 80 against standard errors of 9.49 and 15.81.
    assert answer["change"] == {"difference": 80, "z": pytest.approx(4.339, abs=0.001), "significant": True}
    assert answer["previous"]["records"] == (
        "tenant_id=acme&field_type=nps&since=2026-08-03T00%3A00%3A00Z&until=2026-08-09T23%3A59%3A59.999999Z"
    )
    open_end = await measured(client, "nps", "compare=previous&since=2026-08-10T00:00:00Z")
    assert "until" in open_end["filters"]


async def test_latest_answer_of_each_user(client: httpx.AsyncClient) -> None:
    """Of a user the latest record counts, valid or not; records without a user stay. No list can show that."""
    await stored(
        client,
        score(0, "2026-08-01", user_id="a"),
        score(10, "2026-08-02", user_id="a"),
        score(9, "2026-08-01", user_id="b"),
        score(11, "2026-08-03", user_id="b"),
        score(3),
        score(4),
    )
    answer = await measured(client, "nps", "latest_per_user=true")
    assert (answer["total"]["promoters"], answer["total"]["detractors"], answer["total"]["invalid_count"]) == (1, 2, 1)
    assert answer["records"] is None


async def test_volume(client: httpx.AsyncClient) -> None:
    """Records of every type, the submissions they came in, and the users they came from."""
    await stored(
        client,
        score(1, user_id="a"),
        {"submission_id": "s0", "field_id": "why", "value_text": "because", "user_id": "a", "collected_at": "2026-08-03T09:00:00Z"},
        score(1, "2026-08-04", user_id="a"),
        score(1, "2026-08-04"),
    )  # fmt: skip
    answer = await measured(client, "volume", "interval=day&group_by=field_id")
    assert answer["total"] == {
        "count": 4, "invalid_count": 0, "low_sample": True, "records": 4, "submissions": 3, "users": 1,
    }  # fmt: skip
    assert [(bucket["records"], bucket["submissions"], bucket["users"]) for bucket in answer["series"]] == [
        (2, 1, 1), (2, 2, 1),
    ]  # fmt: skip
    assert [(group["key"], group["records"], len(group["series"])) for group in answer["groups"]] == [
        ("nps", 3, 2), ("why", 1, 2),
    ]  # fmt: skip


async def test_all_that_is_wrong_is_told_at_once(client: httpx.AsyncClient) -> None:
    """Unknown, repeated, of another type, or nothing there is: each fault under its name."""
    answer = await client.get(
        f"{URL}/nps?since=x&interval=hour&tz=Mars/Base&group_by=plan&compare=last&latest_per_user=perhaps&fieldid=nps"
        "&field_type=csat&interval=day&metadata..x=1"
    )
    assert {fault["name"] for fault in answer.json()["invalid_params"]} == {
        "tenant_id", "since", "interval", "tz", "group_by", "compare", "latest_per_user", "fieldid", "field_type", "metadata..x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "name", "reason"),
    [
        ("compare=previous", "compare", "needs since: what a period is compared with is the one before it, of the same length"),
        ("compare=previous&since=0001-01-01T00:00:00Z", "compare", "there is no period of this length before since"),
        ("compare=previous&since=2080-01-01T00:00:00Z", "since", "must not be in the future: a period that is compared and has no until ends now"),
        ("tz=", "tz", "must be a time zone of the IANA database, such as Europe/Berlin"),
        ("tz=../etc/passwd", "tz", "must be a time zone of the IANA database, such as Europe/Berlin"),
        ("tz=Europe", "tz", "must be a time zone of the IANA database, such as Europe/Berlin"),
        ("group_by=metadata.", "group_by", None),
        ("group_by=answer:", "group_by", None),
        ("group_by=value_number", "group_by", None),
        ("interval=day&since=1970-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "interval", None),
        ("limit=5", "limit", "is not a recognized parameter"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked(client: httpx.AsyncClient, query: str, name: str, reason: str | None) -> None:
    answer = await client.get(f"{URL}/nps?tenant_id=acme&{query}")
    assert answer.status_code == 400
    (fault,) = answer.json()["invalid_params"]
    assert fault["name"] == name
    assert reason in (None, fault["reason"])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("&field_group_id=a", 200),
        ("&field_group_id=a&field_group_id=b", 400),
        ("&field_group_id=a&field_group_id=b&group_by=field_group_id", 200),
        ("&group_by=field_group_id", 400),
    ],
)
async def test_ranks_of_several_questions_are_counted_apart(client: httpx.AsyncClient, query: str, status: int) -> None:
    answer = await client.get(f"{URL}/ranking?tenant_id=acme{query}")
    assert answer.status_code == status
    assert [fault["name"] for fault in answer.json().get("invalid_params", [])] == ["field_group_id"] * (status == 400)


async def test_a_bound_key_measures_its_own_tenant(client: httpx.AsyncClient, bound: httpx.AsyncClient) -> None:
    """Also when groups are made by an answer, which is looked up beside the selection."""
    await stored(client, score(9), {**score(0), "tenant_id": "other"})
    await stored(client, {"tenant_id": "other", "field_id": "role", "value_text": "boss"})
    for query in ("", "?group_by=answer:role", "?group_by=user_id&latest_per_user=true&interval=day"):
        answer = (await bound.get(f"{URL}/nps{query}")).json()
        assert answer["total"]["nps"] == 100
        assert [group["key"] for group in answer.get("groups", [{"key": None}])] == [None]


async def test_answers_on_several_scales_have_no_common_mean(client: httpx.AsyncClient) -> None:
    """The refusal names the questions and their scales; one scale can be chosen, or each question measured by itself."""
    await stored(
        client,
        {"field_id": "a", "field_type": "csat", "value_number": 5, "metadata": {"scale": {"min": 1, "max": 5}}},
        {"field_id": "b", "field_type": "csat", "value_number": 5, "metadata": {"scale": {"min": 1, "max": 7}}},
        {"field_id": "a", "field_type": "csat", "value_number": 3},
    )
    answer = await client.get(f"{URL}/csat?tenant_id=acme")
    assert answer.status_code == 400
    assert answer.json()["invalid_params"] == [
        {
            "name": "field_id",
            "reason": "selects answers on several scales, which have no common mean; choose one, for example with "
            "metadata.scale.max, or use group_by=field_id: a (1 to 5), a (scale unknown), b (1 to 7)",
        }
    ]
    chosen = await measured(client, "csat", "metadata.scale.max=7")
    assert (chosen["total"]["csat"], chosen["total"]["scale_max"]) == (0, 7)
    grouped = await measured(client, "csat", "group_by=field_id")
    assert (grouped["total"]["count"], grouped["total"]["csat"]) == (3, None)
    # One question on two scales is two groups, which no list can tell apart.
    assert [(group["key"], group["csat"], group["records"]) for group in grouped["groups"]] == [
        ("a", 100, None), ("a", 0, None), ("b", 0, "tenant_id=acme&field_id=b&field_type=csat"),
    ]  # fmt: skip


async def test_numbers_have_a_histogram_with_round_edges(client: httpx.AsyncClient) -> None:
    """The same edges for the whole, its parts and its groups; the last edge belongs to the last bin."""
    await stored(
        client,
        *({"field_id": "age", "field_type": "number", "value_number": value, "language": "de" if value < 40 else "fr",
           "collected_at": "2026-08-03T00:00:00Z"} for value in (18, 20, 39.9, 40, 100)),
    )  # fmt: skip
    answer = await measured(client, "number", "interval=day&group_by=language")
    bins = {(one["from"], one["to"]): one["count"] for one in answer["total"]["histogram"]}
    assert bins == {
        (10, 20): 1, (20, 30): 1, (30, 40): 1, (40, 50): 1, (50, 60): 0, (60, 70): 0, (70, 80): 0, (80, 90): 0, (90, 100): 1,
    }  # fmt: skip
    assert answer["series"][0]["histogram"] == answer["total"]["histogram"]
    german, french = (group["histogram"] for group in answer["groups"])
    assert [one["count"] for one in german] == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert [one["from"] for one in french] == [one["from"] for one in german]


async def test_a_rating_of_too_many_marks_has_no_histogram(client: httpx.AsyncClient) -> None:
    """A hundred bars can be drawn; more of them say nothing."""
    rating = {"source_type": "survey", "tenant_id": "acme", "field_id": "r", "field_type": "rating"}
    many = [{**rating, "submission_id": f"s{number}", "value_number": number / 10} for number in range(101)]
    await client.post(f"{RECORDS}/batch", json=many[:100])
    assert len((await measured(client, "rating"))["total"]["histogram"]) == 100
    await client.post(f"{RECORDS}/batch", json=many[100:])
    answer = await measured(client, "rating")
    assert (answer["total"]["histogram"], answer["total"]["max"]) == (None, 10)


async def test_what_people_wrote_themselves_names_nobody_elses_answer(client: httpx.AsyncClient) -> None:
    """Sources store it under the id `other`; an option that was called so, and has no id, keeps its words."""
    asked = {"field_id": "source", "field_type": "categorical"}
    written = {"s0": "Radio", "s1": "My ex-husband Bob told me"}
    await stored(
        client,
        *({**asked, "submission_id": key, "value_id": "other", "value_text": text} for key, text in written.items()),
        {**asked, "submission_id": "s2", "value_id": "tv", "value_text": "TV"},
        {**asked, "submission_id": "s3", "field_id": "words", "value_text": " OTHER"},
        *({**score(9), "submission_id": key} for key in ("s0", "s1", "s2")),
    )
    option = {"value_id": "other", "label": "Other", "count": 2}
    answer = await measured(client, "categorical", "field_id=source&group_by=value_id")
    assert answer["total"]["options"][0] == {"key": "other", **option, "share": pytest.approx(200 / 3)}
    assert [(group["key"], group["label"]) for group in answer["groups"]] == [("other", "Other"), ("tv", "TV")]
    assert [option["label"] for group in answer["groups"] for option in group["options"]] == ["Other", "TV"]
    by_answer = await measured(client, "nps", "group_by=answer:source")
    assert [(group["key"], group["label"]) for group in by_answer["groups"]] == [("other", "Other"), ("tv", "TV")]
    (worded,) = (await measured(client, "categorical", "field_id=words"))["total"]["options"]
    assert (worded["key"], worded["value_id"], worded["label"]) == ("other", None, " OTHER")


async def test_only_so_many_options_and_groups_are_told(client: httpx.AsyncClient) -> None:
    """The most chosen, and how many more there are."""
    words = {"source_type": "survey", "tenant_id": "acme", "field_id": "w", "field_type": "categorical"}
    await client.post(
        f"{RECORDS}/batch",
        json=[
            {**words, "submission_id": f"s{n}", "value_text": f"w{n % 210}", "user_id": f"u{n % 60}"}
            for n in range(240)
        ],
    )
    answer = await measured(client, "categorical", "group_by=user_id")
    assert (len(answer["total"]["options"]), answer["total"]["options_omitted"]) == (200, 10)
    assert {option["count"] for option in answer["total"]["options"][:30]} == {2}
    assert (len(answer["groups"]), answer["groups_omitted"]) == (50, 10)


async def test_latest_submission_of_each_user_with_all_its_answers(client: httpx.AsyncClient) -> None:
    """Who chose two options at last chose two."""
    option = {"field_type": "categorical", "user_id": "u"}
    await stored(
        client,
        {**option, "submission_id": "old", "field_id": "m__a", "value_id": "a", "collected_at": "2026-08-01T00:00:00Z"},
        {**option, "submission_id": "new", "field_id": "m__b", "value_id": "b", "collected_at": "2026-08-02T00:00:00Z"},
        {**option, "submission_id": "new", "field_id": "m__c", "value_id": "c", "collected_at": "2026-08-02T00:00:00Z"},
    )
    answer = await measured(client, "categorical", "latest_per_user=true")
    assert [option["key"] for option in answer["total"]["options"]] == ["b", "c"]


async def test_numbers_that_are_none_count_as_invalid(client: httpx.AsyncClient, connection: Connection) -> None:
    """The API takes no NaN and no infinity; what an import or a query has put there spoils no mean."""
    await stored(client, *({"field_id": "n", "field_type": "number", "value_number": value} for value in (1, 3, 5, 7)))
    for value, submission in (("NaN", "s2"), ("Infinity", "s3")):
        await connection.execute(
            "update feedback_records set value_number = $1::float8 where submission_id = $2 and tenant_id = 'acme'",
            float(value), submission,
        )  # fmt: skip
    answer = await measured(client, "number")
    assert (answer["total"]["count"], answer["total"]["invalid_count"], answer["total"]["mean"]) == (2, 2, 2)
    assert (await measured(client, "number", "group_by=user_id"))["groups"][0]["max"] == 3


async def test_a_scale_beyond_all_numbers_is_none(client: httpx.AsyncClient) -> None:
    """Metadata may say anything, and a metric still has an answer."""
    scales = [{"min": -1e300, "max": 1e300}, {"min": 1}, [1, 5], {"min": [1], "max": [5]}, {"min": None, "max": 5}, 5]
    await stored(
        client,
        *({"field_id": "r", "field_type": "rating", "value_number": 3, "metadata": {"scale": scale, "total_items": scale}}
          for scale in scales),
    )  # fmt: skip
    answer = await measured(client, "rating")
    assert (answer["total"]["count"], answer["total"]["scale_max"], answer["total"]["mean"]) == (6, None, 3)


async def test_fields(client: httpx.AsyncClient) -> None:
    """What is in here: each question with its latest names, how often and when it was answered, and what measures it."""
    await stored(
        client,
        score(9, "2026-08-01", field_label="How likely?", source_id="sv", source_name="Old"),
        score(9, "2026-08-02", field_label="How likely is it?", source_id="sv", source_name="New"),
        {"submission_id": "s0", "field_id": "why", "value_text": "because", "collected_at": "2026-08-01T00:00:00Z"},
        {"submission_id": "s1", "field_id": "r__a", "field_group_id": "r", "field_type": "number", "value_number": 1,
         "metadata": {"total_items": 2}, "collected_at": "2026-08-01T00:00:00Z"},
    )  # fmt: skip
    answer = (await client.get(f"{URL}/fields?tenant_id=acme")).json()
    assert [(field["field_id"], field["metric"], field["count"]) for field in answer["fields"]] == [
        ("nps", "nps", 2), ("r__a", "ranking", 1), ("why", None, 1),
    ]  # fmt: skip
    assert answer["fields"][0] == {
        "field_id": "nps", "field_type": "nps", "field_label": "How likely is it?", "field_group_id": None,
        "field_group_label": None, "source_type": "survey", "source_id": "sv", "source_name": "New", "count": 2,
        "first_seen": "2026-08-01T12:00:00Z", "last_seen": "2026-08-02T12:00:00Z", "metric": "nps",
        "records": "tenant_id=acme&field_id=nps&field_type=nps",
    }  # fmt: skip
    assert answer["fields_omitted"] == 0
    filtered = (await client.get(f"{URL}/fields?tenant_id=acme&until=2026-08-01T23:00:00Z&source_id=sv")).json()
    assert [(field["field_id"], field["source_name"]) for field in filtered["fields"]] == [("nps", "Old")]


SUBMISSION = """
insert into submissions (
    tenant_id, submission_id, source, form_id, status, started_at, duration_seconds, snapshot_order, received_at
)
values ('acme', $1, $2, 'sv', $3, $4::text::timestamptz, $5, '', now())
"""


async def test_completion(client: httpx.AsyncClient, connection: Connection) -> None:
    """How submissions ended, and which questions the unfinished ones did not answer. What a source never tells is null."""
    for number, (source, status, day, seconds) in enumerate(
        [
            ("formbricks", "completed", "2026-08-03", 30.0),
            ("formbricks", "completed", "2026-08-03", 50.0),
            ("formbricks", "partial", "2026-08-05", 900.0),
            ("formbricks", "started", "2026-08-05", None),
            ("typeform", "completed", "2026-08-05", 10.0),
        ]
    ):
        await connection.execute(SUBMISSION, f"s{number}", source, status, f"{day}T12:00:00Z", seconds)
    question = {"field_id": "q", "field_label": "Q?"}
    part = {"field_group_id": "m", "field_group_label": "M?"}
    await stored(client, question, question, question)
    await stored(client, {**part, "field_id": "m__a"}, {**part, "field_id": "m__b"})
    await stored(client, {**part, "field_id": "m__c"}, {"field_id": "q", "tenant_id": "other"})

    answer = await measured(client, "completion", "interval=day&group_by=source")
    assert answer["total"] == {
        "count": 5, "invalid_count": 0, "low_sample": True, "submissions": 5, "started": 1, "partial": 1, "completed": 3,
        "dismissed": None, "rate_base": 4, "rate_completed": 2, "completion_rate": 50, "ci_low": pytest.approx(15.0, abs=0.05),
        "ci_high": pytest.approx(85.0, abs=0.05), "median_duration_seconds": 30,
    }  # fmt: skip
    # Nobody who filled in the form of the other source was ever asked.
    assert answer["fields"] == [
        {"field_id": "q", "label": "Q?", "answered": 3, "submissions": 4, "drop_off": 25},
        {"field_id": "m", "label": "M?", "answered": 2, "submissions": 4, "drop_off": 50},
    ]
    assert [(bucket["bucket"], bucket["count"], bucket["completion_rate"]) for bucket in answer["series"]] == [
        ("2026-08-03", 2, 100), ("2026-08-04", 0, None), ("2026-08-05", 3, 0),
    ]  # fmt: skip
    told = ("key", "count", "partial", "rate_base", "rate_completed", "completion_rate")
    assert [tuple(group[name] for name in told) for group in answer["groups"]] == [
        ("formbricks", 4, 1, 4, 2, 50), ("typeform", 1, None, None, None, None),
    ]  # fmt: skip
    assert [bucket["count"] for bucket in answer["groups"][1]["series"]] == [0, 0, 1]
    for part in [*answer["series"], *answer["groups"], answer["groups"][0]["series"][2]]:
        listed = await client.get(f"/v1/submissions?{part['records']}")
        assert len(listed.json()["data"]) == part["count"]


async def test_completion_compared_with_the_period_before(client: httpx.AsyncClient, connection: Connection) -> None:
    for number, (status, day) in enumerate([("completed", "10"), ("partial", "10"), ("partial", "09")]):
        await connection.execute(SUBMISSION, f"s{number}", "formbricks", status, f"2026-08-{day}T12:00:00Z", None)
    answer = await measured(
        client, "completion", "compare=previous&since=2026-08-10T00:00:00Z&until=2026-08-10T23:59:59.999999Z"
    )
    assert (answer["total"]["completion_rate"], answer["previous"]["completion_rate"]) == (50, 0)
    assert answer["change"]["difference"] == 50


async def test_what_cannot_be_asked_of_submissions(client: httpx.AsyncClient) -> None:
    answer = await client.get(
        f"{URL}/completion?group_by=language&latest_per_user=true&field_id=x&tz=x&compare=previous"
    )
    assert {fault["name"] for fault in answer.json()["invalid_params"]} == {
        "tenant_id", "group_by", "latest_per_user", "field_id", "tz", "compare",
    }  # fmt: skip


async def test_groups_have_their_latest_names(client: httpx.AsyncClient) -> None:
    """Of a survey, a question, a question in parts, an option: what it is called among the selected records."""
    names = {
        "source_id": "source_name",
        "field_id": "field_label",
        "field_group_id": "field_group_label",
        "value_id": "value_text",
    }
    for day, word in (("01", "first"), ("02", "second"), ("03", "last")):
        await stored(
            client,
            score(
                9, f"2026-08-{day}", submission_id=day,
                **{key: f"the {key}" for key in names}, **{name: f"{word} {name}" for name in names.values()},
            ),
        )  # fmt: skip
    for key, name in names.items():
        (group,) = (await measured(client, "nps", f"group_by={key}"))["groups"]
        assert (group["key"], group["label"]) == (f"the {key}", f"last {name}")
        (group,) = (await measured(client, "nps", f"group_by={key}&until=2026-08-02T23:00:00Z"))["groups"]
        assert group["label"] == f"second {name}"
    (group,) = (await measured(client, "nps", "group_by=source_type"))["groups"]
    assert (group["key"], group["label"]) == ("survey", None)
