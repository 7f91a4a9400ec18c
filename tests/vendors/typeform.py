"""A Typeform: forms, the Responses API page by page, and webhooks, with what differs between the two channels."""

import base64
import copy
import hmac
import json
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from tests.vendors.server import Answer, Delivery, Json, Request, Server

NEVER = "0001-01-01T00:00:00Z"
DELIVERY_SECONDS = 30
# What a webhook does not tell.
API_ONLY = ("metadata", "tags", "response_id", "landing_id", "response_type", "thankyou_screen_ref", "staged_at")
TIMES = {"completed": "submitted_at", "partial": "staged_at", "started": "landed_at"}


class TypeformServer(Server):
    """`forms` and `responses` (by form and token) may be edited; `respond` does it as a respondent would."""

    precision = "seconds"

    def __init__(
        self, *, token: str = "tfp_test", partial_responses: bool = True, largest_page: int = 1000,
        host: str = "127.0.0.1", now: Callable[[], float] | None = None, time: datetime | None = None,
    ) -> None:  # fmt: skip
        super().__init__(host=host, now=now, time=time)
        self.token = token
        self.partial_responses = partial_responses
        """Part of some plans only."""
        self.largest_page = largest_page
        self.forms: dict[str, Json] = {}
        self.responses: dict[str, dict[str, Json]] = {}
        self.late: set[str] = set()
        """Tokens that do not show in the Responses API yet."""
        self.webhooks: dict[tuple[str, str], Json] = {}

    # What people do.

    def add_form(self, form: Json) -> str:
        self.forms[form["id"]] = copy.deepcopy(form)
        self.responses.setdefault(form["id"], {})
        return str(form["id"])

    def respond(self, form_id: str, token: str, *, kind: str = "completed", **members: Any) -> Json:
        """A visit (`started`), an answer so far (`partial`) or all of it (`completed`), in the shape of the API."""
        with self.lock:
            now = self.tick()
            before = self.responses[form_id].get(token, {"landed_at": now})
            response = before | {
                "landing_id": token, "token": token, "response_id": token, "response_type": kind, "metadata": {},
                "hidden": {}, "calculated": {"score": 0}, "answers": None,
            } | members  # fmt: skip
            response["submitted_at"] = now if kind == "completed" else NEVER
            if kind == "partial":
                response["staged_at"] = now
            self.responses[form_id][token] = response
            if kind != "started":
                self._queue(form_id, response)
            return response

    def delete(self, form_id: str, token: str) -> None:
        """Nothing tells of it."""
        with self.lock:
            del self.responses[form_id][token]

    # What it delivers.

    def _queue(self, form_id: str, response: Json) -> None:
        event = "form_response" if response["response_type"] == "completed" else "form_response_partial"
        for (hooked, _), webhook in self.webhooks.items():
            if hooked == form_id and webhook["enabled"] and webhook["event_types"].get(event):
                delivered = {
                    "event_id": f"01K{secrets.token_hex(11).upper()}",
                    "event_type": event,
                    "form_response": as_delivered(self.forms[form_id], response),
                }
                self._queued.append(partial(self.send, webhook, delivered))

    def send(self, webhook: Json, body: Json) -> Delivery:
        """One attempt. 404 and 410 disable the webhook."""
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"content-type": "application/json"}
        if secret := webhook.get("secret"):
            headers["typeform-signature"] = signature(secret, content)
        delivery = self.deliver(webhook["url"], headers, content, timeout=DELIVERY_SECONDS)
        if delivery.status in (404, 410):
            webhook["enabled"] = False
        return delivery

    # What it answers.

    def answer(self, request: Request) -> Answer:  # noqa: PLR0911 - one case a route
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return error(401, "AUTHENTICATION_FAILED", "Authentication credentials not found on the Request Headers")
        if self.over_quota(2, 1):
            return error(429, "TOO_MANY_REQUESTS", "Too many requests")
        match request.method, request.parts:
            case "GET", ["forms"]:
                return self._list_forms(request)
            case "GET", ["forms", form_id] if form_id in self.forms:
                return Answer(200, self.forms[form_id])
            case "GET", ["forms", form_id, "responses"] if form_id in self.forms:
                return self._list_responses(request, form_id)
            case method, ["forms", form_id, "webhooks", tag] if form_id in self.forms:
                return self._webhook(method, form_id, tag, request)
        return error(404, "FORM_NOT_FOUND", "Non existing form with uid")

    def _list_forms(self, request: Request) -> Answer:
        size, page = int(request.query.get("page_size", "10")), int(request.query.get("page", "1"))
        if not 1 <= size <= 200:
            return error(400, "VALIDATION_ERROR", "page_size must be between 1 and 200")
        listed = [{"id": form["id"], "title": form["title"]} for form in self.forms.values()]
        shown = listed[(page - 1) * size : page * size]
        return Answer(200, {"total_items": len(listed), "page_count": -(-len(listed) // size), "items": shown})

    def _list_responses(self, request: Request, form_id: str) -> Answer:
        query = request.query
        size = int(query.get("page_size", "25"))
        if not 1 <= size <= 1000:
            return error(400, "VALIDATION_ERROR", "page_size must be between 1 and 1000")
        kinds = query.get("response_type", "completed").split(",")
        if not self.partial_responses and "partial" in kinds:
            return error(403, "FORBIDDEN", "Partial responses are not part of your plan")
        column = TIMES[kinds[0]] if len(kinds) == 1 else "landed_at"
        since, until = query.get("since", ""), query.get("until", "9")
        found = [
            response
            for response in self.responses[form_id].values()
            if response["response_type"] in kinds and response["token"] not in self.late
            if since <= response[column] <= until
        ]
        found.sort(key=lambda response: (response[column], response["token"]), reverse=True)
        tokens = [response["token"] for response in found]
        if "before" in query:
            found = found[tokens.index(query["before"]) + 1 :] if query["before"] in tokens else []
        shown = found[: min(size, self.largest_page)]
        count = -(-len(found) // min(size, self.largest_page))
        return Answer(200, {"total_items": len(found), "page_count": count, "items": shown})

    def _webhook(self, method: str, form_id: str, tag: str, request: Request) -> Answer:
        if method == "DELETE":
            removed = self.webhooks.pop((form_id, tag), None)
            return Answer(204) if removed else error(404, "NOT_FOUND", "Webhook not found")
        body = request.json
        if not str(body.get("url")).startswith("https://") and not str(body.get("url")).startswith("http://127."):
            return error(400, "webhook_url_https_required", "The webhook's URL must use https")
        events: Any = body.get("event_types", {"form_response": True})
        if events.get("form_response_partial") and not self.partial_responses:
            return error(403, "FORBIDDEN", "Partial responses are not part of your plan")
        webhook = {"id": f"wh-{tag}", "form_id": form_id, "tag": tag, "verify_ssl": True, **body, "event_types": events}
        self.webhooks[form_id, tag] = webhook
        return Answer(200, {name: value for name, value in webhook.items() if name != "secret"})


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def as_delivered(form: Json, response: Json) -> Json:
    """A response as a webhook tells it: with the questions, dropdowns as choices, dates as days, in the order of the form."""
    fields = {field["id"]: field for field in _flat(form["fields"])}
    answers = [_answer(fields.get(answer["field"]["id"], {}), answer) for answer in response["answers"] or []]
    order = list(fields)
    answers.sort(
        key=lambda answer: order.index(answer["field"]["id"]) if answer["field"]["id"] in fields else len(order)
    )
    told = {name: value for name, value in response.items() if name not in API_ONLY}
    definition = {
        "id": form["id"], "title": form["title"], "endings": form.get("thankyou_screens", []),
        "fields": [_question(field) for field in fields.values() if field["type"] not in ("statement", "group")],
    }  # fmt: skip
    ending = {"ending": {"ref": response["thankyou_screen_ref"]}} if "thankyou_screen_ref" in response else {}
    return {"form_id": form["id"], **told, "definition": definition, "answers": answers, **ending}


def _flat(fields: list[Json]) -> list[Json]:
    return [part for field in fields for part in (field, *_flat(field.get("properties", {}).get("fields", [])))]


def _question(field: Json) -> Json:
    """Without the bounds of scales, which only the Create API has."""
    told = {
        "id": field["id"],
        "ref": field.get("ref"),
        "type": field["type"],
        "title": field["title"],
        "properties": {},
    }
    properties = field.get("properties", {})
    if "choices" in properties:
        told["choices"] = properties["choices"]
    for ours, theirs in (("allow_multiple_selections", "allow_multiple_selection"), ("allow_other_choice",) * 2):
        if properties.get(theirs):
            told[ours] = True
    return told


def _answer(field: Json, answer: Json) -> Json:
    if answer["type"] == "date":
        return answer | {"date": answer["date"][:10]}
    if answer["field"]["type"] == "dropdown" and answer["type"] == "text":
        choices = field.get("properties", {}).get("choices", [])
        chosen = next((choice for choice in choices if choice["label"] == answer["text"]), {"label": answer["text"]})
        return {"type": "choice", "choice": dict(chosen), "field": answer["field"]}
    return answer


def error(status: int, code: str, description: str) -> Answer:
    return Answer(status, {"code": code, "description": description, "help": "https://developer.typeform.com"})
