"""The servers that stand for vendors behave like them, or tests against them would prove little."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.vendors import formbricks, typeform
from tests.vendors.formbricks import FormbricksServer
from tests.vendors.satismeter import SatisMeterServer
from tests.vendors.server import Answer, Request, Server
from tests.vendors.stories import example
from tests.vendors.typeform import TypeformServer


class Receiver(Server):
    """A hub, as far as a vendor sees it."""

    status = 200

    def answer(self, request: Request) -> Answer:
        return Answer(self.status)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


def test_formbricks_shows_the_same_responses_in_v1_and_v2_as_in_the_examples() -> None:
    v1, v2 = (example(f"formbricks/{name}.json")["data"] for name in ("04_v1_responses_list", "07_v2_responses_list"))
    with FormbricksServer() as server:
        server.responses = {response["id"]: response for response in v1}
        with httpx.Client(base_url=server.url, headers={"x-api-key": "fbk_test"}) as client:
            ours_v1 = client.get("/api/v1/management/responses?limit=50").json()["data"]
            ours_v2 = client.get("/api/v2/management/responses?limit=50").json()["data"]
    assert ours_v1 == sorted(v1, key=lambda response: response["createdAt"], reverse=True)
    theirs = {response["id"]: response for response in v2}
    assert {response["id"]: response for response in ours_v2} == theirs


def test_formbricks_delivers_what_the_example_has(receiver: Receiver) -> None:
    delivery = example("formbricks/12_webhook_responseFinished_all_types.json")
    response = {name: value for name, value in delivery["data"].items() if name != "survey"}
    with FormbricksServer() as server:
        survey = server.add_survey(example("formbricks/01_v1_survey_get_blocks_plus_derived_questions.json"))
        server.webhooks["w"] = {
            "id": delivery["webhookId"], "url": receiver.url, "triggers": ["responseFinished"], "surveyIds": [survey],
        }  # fmt: skip
        server.respond(survey, response["id"], **response)
        [sent] = server.flush()
    told = json.loads(sent.body)
    assert list(told) == list(delivery)
    assert told == delivery
    assert sent.status == 200
    assert "webhook-signature" not in sent.headers


def test_formbricks_sends_all_again_when_one_receiver_fails(receiver: Receiver) -> None:
    """Three times, the same each time, with the same id; then never again."""
    with FormbricksServer() as server, Receiver() as healthy:
        server.add_survey({"id": "s1"})
        for name, url in (("a", receiver.url), ("b", healthy.url)):
            server.webhooks[name] = {"id": name, "url": url, "triggers": ["responseCreated"], "surveyIds": []}
        receiver.status = 503
        server.respond("s1", "r1")
        sent = server.flush()
        assert server.flush() == []
    assert [delivery.status for delivery in sent] == [503, 200] * 3
    assert len({delivery.headers["webhook-id"] for delivery in sent}) == 2
    assert len({delivery.body for delivery in sent}) == 2


def test_they_sign_as_the_vendors_do() -> None:
    """Or the hub and the servers could agree on something wrong."""
    signatures = Path(__file__).parents[1] / "signatures"
    vector = json.loads((signatures / "formbricks.json").read_text())
    body = (signatures / "formbricks_body.raw.json").read_bytes().removesuffix(b"\n")
    headers = vector["headers"]
    signed = formbricks.signature(vector["secret"], headers["webhook-id"], headers["webhook-timestamp"], body)
    assert signed == headers["webhook-signature"]
    vector = json.loads((signatures / "typeform.json").read_text())
    assert typeform.signature(vector["secret"], vector["raw_body_utf8"].encode()) == vector["valid_header_value"]


@pytest.mark.parametrize("status", [404, 410])
def test_typeform_disables_a_webhook_whose_receiver_is_not_there(receiver: Receiver, status: int) -> None:
    with TypeformServer() as server:
        form = server.add_form({"id": "f", "title": "F", "fields": []})
        server.webhooks[form, "tag"] = {"url": receiver.url, "enabled": True, "event_types": {"form_response": True}}
        receiver.status = status
        server.respond(form, "t1", answers=[])
        server.flush()
        server.respond(form, "t2", answers=[])
        assert server.flush() == []
    assert len(receiver.requests) == 1


def test_satismeter_delivers_what_the_example_has(receiver: Receiver) -> None:
    delivery = example("satismeter/10_webhook_completed_all_question_types.json")
    response = delivery["response"]
    with SatisMeterServer() as server:
        campaign = server.add_campaign(delivery["campaign"], {})
        server.hooks.append(receiver.url)
        server.respond(campaign, response["id"], **response)
        [sent] = server.flush()
    told = json.loads(sent.body)
    assert told["response"].items() >= response.items()
    assert (told["campaign"], told["event"]) == (delivery["campaign"], delivery["event"])


def test_a_receiver_that_is_not_there_is_no_success(receiver: Receiver) -> None:
    with SatisMeterServer() as server, Receiver() as gone:
        url = gone.url
    sent = server.send(url, {})
    assert (sent.status, sent.accepted) == (0, False)
