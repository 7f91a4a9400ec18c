"""A Formbricks: surveys, responses, contacts and webhooks, in the shapes of its v1, v2 and v3 APIs.

Two profiles, where its published descriptions and its code differ. As `documented`, v2 lists have `meta`, what is told of a key has
no envelope, v1 knows persons instead of contacts, surveys have questions and no blocks, and their list takes no parameters.
"""

import base64
import copy
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from tests.vendors.server import Answer, Delivery, Json, Request, Server

Profile = Literal["documented", "actual"]

WORKSPACE = "cm7gijjarvoe56bwycivgq6by"
USER_ID_KEY = "cmkeyuserid0000000000000a"
DELIVERY_SECONDS, ATTEMPTS = 5, 3
# Known to v1 and webhooks only.
V1_ONLY = ("contact", "tags")


class FormbricksServer(Server):
    """What is in `surveys` and `responses` may be edited; `respond` does it as a respondent or a colleague would."""

    def __init__(
        self, *, profile: Profile = "actual", api_key: str = "fbk_test", permission: str = "manage",
        v1_surveys: bool = True, v2_responses: bool = True, v3_surveys: bool = True, contacts_licensed: bool = True,
        workspaces: Iterable[str] = (WORKSPACE,), largest_page: int = 250, host: str = "127.0.0.1",
        now: Callable[[], float] | None = None, time: datetime | None = None,
    ) -> None:  # fmt: skip
        super().__init__(host=host, now=now, time=time)
        self.profile, self.api_key, self.permission = profile, api_key, permission
        self.v1_surveys, self.v2_responses, self.v3_surveys = v1_surveys, v2_responses, v3_surveys
        self.contacts_licensed = contacts_licensed
        self.workspaces = list(workspaces)
        self.largest_page = largest_page
        """A server may send less than it was asked for."""
        self.signs = True
        """Versions before 2026 do not."""
        self.refused: set[str] = set()
        """Surveys whose responses this key may not read."""
        self.surveys: dict[str, Json] = {}
        self.responses: dict[str, Json] = {}
        self.users: dict[str, str] = {}
        """The `userId` attributes of contacts."""
        self.webhooks: dict[str, Json] = {}

    # What people do.

    def add_survey(self, survey: Json) -> str:
        survey = copy.deepcopy(survey.get("data", survey))
        self.surveys[survey["id"]] = {"workspaceId": self.workspaces[0]} | survey
        return str(survey["id"])

    def respond(self, survey_id: str, response_id: str, **members: Any) -> Json:
        """Creates a response or changes it, later than all before, and queues the deliveries of that."""
        with self.lock:
            now = self.tick()
            before = self.responses.get(response_id)
            base = before or {
                "id": response_id, "createdAt": now, "surveyId": survey_id, "displayId": None, "contact": None,
                "contactAttributes": None, "finished": False, "endingId": None, "data": {}, "variables": {}, "ttc": {},
                "tags": [], "meta": {}, "singleUseId": None, "language": None,
            }  # fmt: skip
            response = base | {"updatedAt": now} | members
            self.responses[response_id] = response
            events = ["responseUpdated" if before else "responseCreated"]
            events += ["responseFinished"] if response["finished"] else []
            for event in events:
                self._queue(event, response)
            return response

    def delete(self, response_id: str) -> None:
        """No webhook tells of it."""
        with self.lock:
            del self.responses[response_id]

    # What it delivers.

    def _queue(self, event: str, response: Json) -> None:
        """The response as it is now: a later attempt carries the same."""
        survey = self.surveys.get(response["surveyId"], {})
        for webhook in self.webhooks.values():
            if event in webhook["triggers"] and response["surveyId"] in (
                webhook["surveyIds"] or [response["surveyId"]]
            ):
                told = {name: survey.get(name) for name in ("type", "status", "createdAt", "updatedAt")}
                data = copy.deepcopy(response) | {"survey": {"title": survey.get("name"), **told}}
                body = {"webhookId": webhook["id"], "event": event, "data": data}
                self._queued.append(
                    partial(self.send, webhook, hashlib.sha256(secrets.token_bytes(8)).hexdigest(), body)
                )

    def send(self, webhook: Json, webhook_id: str, body: Json, *, timestamp: datetime | None = None) -> Delivery:
        """One attempt."""
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        sent_at = str(int((timestamp or datetime.now(UTC)).timestamp()))
        headers = {"content-type": "application/json", "webhook-id": webhook_id, "webhook-timestamp": sent_at}
        if secret := webhook.get("secret"):
            headers["webhook-signature"] = signature(secret, webhook_id, sent_at, content)
        return self.deliver(webhook["url"], headers, content, timeout=DELIVERY_SECONDS)

    def flush(self) -> list[Delivery]:
        """All that waits, as Formbricks does: if one fails, those that succeeded are sent again with it."""
        made: list[Delivery] = []
        waiting = self.queued()
        for _ in range(ATTEMPTS):
            attempt = [send() for send in waiting]
            made += attempt
            if all(delivery.accepted for delivery in attempt):
                break
        return made

    def ping(self, webhook: Json) -> Delivery:
        """The test button."""
        return self.send(webhook, secrets.token_hex(16), {"event": "testEndpoint"})

    # What it answers.

    def answer(self, request: Request) -> Answer:
        match request.parts:
            case ["api", "v1", *rest]:
                return self._guarded(request, v1_error) or self._v1(request, rest)
            case ["api", "v2", *rest]:
                return self._guarded(request, v2_error) or self._v2(request, rest)
            case ["api", "v3", "surveys", *rest] if self.v3_surveys:
                return self._guarded(request, v3_error) or self._v3_surveys(request, rest)
        return Answer(404, b"<!DOCTYPE html><title>404</title>", {"content-type": "text/html"})

    def _guarded(self, request: Request, error: Callable[[int], Answer]) -> Answer | None:
        if request.headers.get("x-api-key") != self.api_key:
            return error(401)
        return error(429) if self.over_quota(100, 60) else None

    def _v1(self, request: Request, path: list[str]) -> Answer:  # noqa: C901, PLR0911 - one case a route
        query = request.query
        match request.method, path:
            case "GET", ["management", "me"]:
                if len(self.workspaces) != 1:
                    return v1_error(400)
                owner = {"id": self.workspaces[0], "name": "Northwind"}
                return Answer(200, {"id": "clbuckmw8siv6f7d11ymnqvlh", "workspace": owner, "project": owner})
            case "GET", ["management", "surveys", *survey_id] if self.v1_surveys:
                return self._surveys_of_v1(request, survey_id)
            case "GET", ["management", "responses"]:
                found = [r for r in self.responses.values() if r["surveyId"] == query.get("surveyId", r["surveyId"])]
                found.sort(key=lambda response: (response["createdAt"], response["id"]), reverse=True)
                skip = int(query.get("skip", "0"))
                limit = int(query["limit"]) if "limit" in query else 25 if "surveyId" in query else None
                return Answer(200, {"data": [self._of_v1(response) for response in found[skip:][:limit]]})
            case "GET", ["management", "responses", response_id]:
                found_one = self.responses.get(response_id)
                return Answer(200, {"data": self._of_v1(found_one)}) if found_one else v1_error(404)
            case "GET", ["management", "contact-attribute-keys" | "contact-attributes" as what]:
                return self._contacts(what)
            case "GET", ["webhooks"]:
                return Answer(200, {"data": [_without_secret(webhook) for webhook in self.webhooks.values()]})
            case "POST", ["webhooks"]:
                return self._create_webhook(request.json)
            case "DELETE", ["webhooks", webhook_id]:
                if self.permission != "manage":
                    return v1_error(401, "unauthorized")
                removed = self.webhooks.pop(webhook_id, None)
                return Answer(200, {"data": _without_secret(removed)}) if removed else v1_error(404)
        return Answer(404, b"<!DOCTYPE html><title>404</title>", {"content-type": "text/html"})

    def _surveys_of_v1(self, request: Request, path: list[str]) -> Answer:
        surveys = sorted(self.surveys.values(), key=lambda survey: str(survey.get("updatedAt")), reverse=True)
        if self.profile == "documented":
            surveys = [{name: value for name, value in survey.items() if name != "blocks"} for survey in surveys]
        if path:
            found = next((survey for survey in surveys if survey["id"] == path[0]), None)
            return Answer(200, {"data": found}) if found else v1_error(404)
        if self.profile == "actual":
            surveys = surveys[int(request.query.get("offset", "0")) :]
            surveys = surveys[: int(request.query["limit"])] if "limit" in request.query else surveys
        return Answer(200, {"data": surveys})

    def _contacts(self, what: str) -> Answer:
        if not self.contacts_licensed:
            return v1_error(403)
        keys = [{"id": USER_ID_KEY, "key": "userId"}, {"id": "cmkeyemail000000000000000", "key": "email"}]
        values = [
            {"id": f"a-{contact}", "attributeKeyId": USER_ID_KEY, "contactId": contact, "value": user}
            for contact, user in self.users.items()
        ]
        values += [value | {"attributeKeyId": keys[1]["id"], "value": "x@example.com"} for value in values]
        return Answer(200, {"data": keys if what == "contact-attribute-keys" else values})

    def _of_v1(self, response: Json) -> Json:
        if self.profile == "actual":
            return response
        told = {name: value for name, value in response.items() if not name.startswith("contact")}
        return told | {"person": response["contact"], "personAttributes": response["contactAttributes"]}

    def _create_webhook(self, body: Json) -> Answer:
        if self.permission == "read":
            return v1_error(401, "unauthorized")
        owner = body.get("workspaceId") or body.get("environmentId")
        if not body.get("url") or not body.get("triggers") or owner not in self.workspaces:
            return v1_error(400)
        webhook = {
            "id": f"cmhook{len(self.webhooks):019}", "name": body.get("name"), "url": body["url"], "source": "user",
            "workspaceId": owner, "triggers": body["triggers"], "surveyIds": body.get("surveyIds", []),
            "secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() if self.signs else None,
        }  # fmt: skip
        self.webhooks[webhook["id"]] = webhook
        return Answer(200, {"data": webhook})

    def _v2(self, request: Request, path: list[str]) -> Answer:
        query = request.query
        match request.method, path:
            case "GET", ["me"]:
                listed = [
                    {"workspaceId": workspace, "workspaceName": f"Workspace {index}", "permissions": self.permission}
                    for index, workspace in enumerate(self.workspaces)
                ]
                documented = {"organizationId": "cm6", "workspaces": listed}
                actual = {"data": {"organizationId": "cm6", "workspacePermissions": listed}}
                return Answer(200, documented if self.profile == "documented" else actual)
            case "GET", ["management", "responses"] if self.v2_responses:
                limit, skip = int(query.get("limit", "50")), int(query.get("skip", "0"))
                if not 1 <= limit <= 250:
                    return v2_error(422)
                if query.get("surveyId") in self.refused:
                    return v2_error(401)
                field, sort = query.get("filterDateField", "createdAt"), query.get("sortBy", "createdAt")
                earliest = _moment(query.get("startDate", "0001-01-01T00:00:00Z"))
                found = [
                    response for response in self.responses.values()
                    if response["surveyId"] == query.get("surveyId", response["surveyId"])
                    and _moment(response[field]) >= earliest
                ]  # fmt: skip
                found.sort(key=lambda response: str(response[sort]), reverse=query.get("order", "desc") == "desc")
                page = found[skip:][: min(limit, self.largest_page)]
                meta = {"meta": {"total": len(found), "limit": limit, "offset": skip}}
                return Answer(
                    200,
                    {"data": [_of_v2(response) for response in page]} | (meta if self.profile == "documented" else {}),
                )
        return Answer(404, b"<!DOCTYPE html><title>404</title>", {"content-type": "text/html"})

    def _v3_surveys(self, request: Request, path: list[str]) -> Answer:
        if path:
            survey = self.surveys.get(path[0])
            return Answer(200, {"data": survey}) if survey else v3_error(403)
        if set(request.query) - {"workspaceId", "limit", "cursor", "includeTotalCount"}:
            return v3_error(400)
        start, limit = int(request.query.get("cursor", "0")), int(request.query.get("limit", "20"))
        if not 1 <= limit <= 100:
            return v3_error(400)
        mine = [s for s in self.surveys.values() if s["workspaceId"] == request.query.get("workspaceId")]
        counted = [
            {
                name: survey.get(name)
                for name in ("id", "name", "status", "type", "workspaceId", "createdAt", "updatedAt")
            }
            | {"responseCount": sum(r["surveyId"] == survey["id"] for r in self.responses.values())}
            for survey in mine[start : start + limit]
        ]
        after = str(start + limit) if start + limit < len(mine) else None
        return Answer(200, {"data": counted, "meta": {"limit": limit, "nextCursor": after, "totalCount": len(mine)}})


def signature(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """As Standard Webhooks wants it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def v1_error(status: int, code: str | None = None) -> Answer:
    named = {
        400: ("bad_request", "Validation failed"),
        401: ("not_authenticated", "Not authenticated"),
        403: ("forbidden", "Contacts are only enabled for Enterprise Edition, please upgrade."),
        404: ("not_found", "Survey not found"),
        429: ("too_many_requests", "Maximum number of requests reached. Please try again later."),
    }
    usual, message = named[status]
    message = "You are not authorized to access this resource" if code == "unauthorized" else message
    return Answer(status, {"code": code or usual, "message": message, "details": {}})


def v2_error(status: int) -> Answer:
    """Like v1's, it has no Retry-After."""
    messages = {401: "Unauthorized", 404: "Not Found", 422: "Unprocessable Entity", 429: "Too Many Requests"}
    details = (
        {"details": [{"field": "limit", "issue": "Too big: expected number to be <=250"}]} if status == 422 else {}
    )
    return Answer(status, {"error": {"code": status, "message": messages[status], **details}})


def v3_error(status: int) -> Answer:
    problem = {"title": "Refused", "status": status, "detail": "Not allowed", "requestId": "r1", "code": "refused"}
    headers = {"content-type": "application/problem+json"} | ({"retry-after": "7"} if status == 429 else {})
    return Answer(status, problem, headers)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _of_v2(response: Json) -> Json:
    contact = response.get("contact")
    shown = {name: value for name, value in response.items() if name not in V1_ONLY}
    return shown | {"contactId": contact["id"] if contact else None}


def _without_secret(webhook: Json) -> Json:
    return {name: value for name, value in webhook.items() if name != "secret"}
