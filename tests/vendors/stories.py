"""What happens at a vendor over time, by chance: answers, changes of mind, deletions; and what is true in the end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

from tests.vendors.formbricks import FormbricksServer
from tests.vendors.satismeter import WEBHOOK_ONLY, SatisMeterServer
from tests.vendors.server import Delivery, Job, Json, Server
from tests.vendors.typeform import TypeformServer, as_delivered

EXAMPLES = Path(__file__).parents[1] / "sources"


def example(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text())


@dataclass(frozen=True)
class Truth:
    """The state of a vendor: what to send to the hub, once, for the same records."""

    form_id: str
    definition: Json
    payloads: Sequence[object]


class Story(Protocol):
    form_id: str

    @property
    def server(self) -> Server: ...

    def answer(self, count: int) -> None:
        """So many more responses, some of them not finished."""

    def change(self, count: int) -> None:
        """So many responses are continued or edited; among what changes are answers that are taken back."""

    def truth(self) -> Truth: ...


def scrambled(jobs: Sequence[Job], chance: Random) -> list[Delivery]:
    """Deliveries in any order, a third of them twice."""
    sent = [*jobs, *(job for job in jobs if chance.random() < 1 / 3)]
    chance.shuffle(sent)
    return [job() for job in sent]


class FormbricksStory:
    def __init__(self, server: FormbricksServer, chance: Random) -> None:
        self.server, self.chance = server, chance
        self.survey = example("formbricks/01_v1_survey_get_blocks_plus_derived_questions.json")["data"]
        self.answers: Json = example("formbricks/12_webhook_responseFinished_all_types.json")["data"]["data"]
        self.form_id = server.add_survey(self.survey)

    def answer(self, count: int) -> None:
        first = len(self.server.responses)
        for number in range(first, first + count):
            self._respond(f"response{number}")

    def change(self, count: int) -> None:
        for response_id in self.chance.choices([*self.server.responses], k=count):
            self._respond(response_id)

    def delete(self, count: int) -> None:
        for response_id in self.chance.sample([*self.server.responses], k=count):
            self.server.delete(response_id)

    def truth(self) -> Truth:
        return Truth(self.form_id, self.survey, [{"data": [*self.server.responses.values()]}])

    def _respond(self, response_id: str) -> None:
        chance = self.chance
        data = {name: value for name, value in self.answers.items() if chance.random() < 0.7}
        data |= {"nps_main": chance.randint(0, 10)}
        if "features_used" in data:
            data["features_used"] = chance.sample(self.answers["features_used"], k=chance.randint(0, 3))
        contact = {"id": f"contact-{response_id}", "userId": f"user-{response_id}"}
        self.server.users[contact["id"]] = contact["userId"]
        # Nobody unfinishes a response, but people do edit finished ones.
        before = self.server.responses.get(response_id, {"finished": False})
        finished = before["finished"] or chance.random() < 0.6
        self.server.respond(self.form_id, response_id, data=data, finished=finished, contact=contact, language="en-US")


class TypeformStory:
    def __init__(self, server: TypeformServer, chance: Random) -> None:
        self.server, self.chance = server, chance
        self.form = example("typeform/20_form_definition.json")
        [self.item] = example("typeform/32_api_page_same_as_10.json")["items"]
        self.form_id = server.add_form(self.form)
        self.delivered: set[str] = set()

    def answer(self, count: int) -> None:
        first = len(self.server.responses[self.form_id])
        for number in range(first, first + count):
            self._respond(f"token{number}", self.chance.choice(["started", "partial", "completed"]))

    def change(self, count: int) -> None:
        """Who has begun goes on. Of two partial responses of one person nothing tells which is the later."""
        further = {"started": ["partial", "completed"], "partial": ["completed"]}
        kinds = {token: told["response_type"] for token, told in self.server.responses[self.form_id].items()}
        open_ones = [token for token, kind in kinds.items() if kind in further]
        for token in self.chance.sample(open_ones, k=min(count, len(open_ones))):
            self._respond(token, self.chance.choice(further[kinds[token]]))

    def truth(self) -> Truth:
        """As the channels tell it: both, for what was delivered."""
        items = [*self.server.responses[self.form_id].values()]
        events = {"completed": "form_response", "partial": "form_response_partial"}
        delivered = [
            {
                "event_id": f"event-{item['token']}",
                "event_type": events[item["response_type"]],
                "form_response": as_delivered(self.form, item),
            }
            for item in items
            if item["token"] in self.delivered
        ]
        return Truth(
            self.form_id, self.form, [{"total_items": len(items), "page_count": 1, "items": items}, *delivered]
        )

    def _respond(self, token: str, kind: str) -> None:
        answers = None if kind == "started" else [a for a in self.item["answers"] if self.chance.random() < 0.7]
        told = {name: self.item[name] for name in ("hidden", "calculated", "variables", "tags", "metadata")}
        self.server.respond(self.form_id, token, kind=kind, answers=answers, **told)
        if self.server.webhooks and kind != "started":
            self.delivered.add(token)


class SatisMeterStory:
    def __init__(self, server: SatisMeterServer, chance: Random) -> None:
        self.server, self.chance = server, chance
        delivery = example("satismeter/10_webhook_completed_all_question_types.json")
        self.response: Json = delivery["response"]
        self.campaign = delivery["campaign"] | {"type": "nps", "state": "running"}
        self.statistics = example("satismeter/24_v3_campaign_statistics_question_catalog.json")
        self.form_id = server.add_campaign(self.campaign, self.statistics)
        self.delivered: set[str] = set()

    def answer(self, count: int) -> None:
        first = len(self.server.responses)
        for number in range(first, first + count):
            self._respond(f"response{number}", self.chance.choice(["dismissed", "completed"]))

    def change(self, count: int) -> None:
        """Who closed the survey takes it up after all."""
        dismissed = [name for name, response in self.server.responses.items() if response["dismissed"]]
        for response_id in self.chance.sample(dismissed, k=min(count, len(dismissed))):
            self._respond(response_id, "completed")

    def truth(self) -> Truth:
        """As the channels tell it: both, for what was delivered."""
        responses = [*self.server.responses.values()]
        campaign = {name: self.campaign[name] for name in ("id", "name")}
        delivered = [
            {"response": response, "campaign": campaign, "event": "dismissed" if response["dismissed"] else "completed"}
            for response in responses
            if response["id"] in self.delivered
        ]
        exported = [{k: v for k, v in response.items() if k not in WEBHOOK_ONLY} for response in responses]
        catalog = self.statistics | {"name": self.campaign["name"], "type": self.campaign["type"]}
        return Truth(self.form_id, catalog, [{"data": exported}, *delivered])

    def _respond(self, response_id: str, event: str) -> None:
        # An export does not say how a response ended; without an answer it was closed.
        answers = [answer for answer in self.response["answers"] if self.chance.random() < 0.7]
        answers = answers or self.response["answers"][:1] if event == "completed" else []
        told = {name: self.response[name] for name in ("device", "location", "referrer", "method", "language")}
        self.server.respond(self.form_id, response_id, event=event, answers=answers, **told)
        if self.server.hooks:
            self.delivered.add(response_id)
