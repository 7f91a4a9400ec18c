"""A SatisMeter project: campaigns, their statistics, responses page by page, and webhooks without a signature."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from tests.vendors.server import Answer, Delivery, Json, Request, Server

PROJECT = "f1d4ccb40b80d628ab6c8cbf"
DELIVERY_SECONDS = 10
# What v3 leaves out.
WEBHOOK_ONLY = ("rating", "feedback", "category", "score", "dismissed", "pending")


class SatisMeterServer(Server):
    """`campaigns`, `statistics` and `responses` may be edited; `respond` does it as a respondent would."""

    def __init__(
        self,
        *,
        api_key: str = "sm_test",
        host: str = "127.0.0.1",
        now: Callable[[], float] | None = None,
        time: datetime | None = None,
    ) -> None:
        super().__init__(host=host, now=now, time=time)
        self.api_key = api_key
        self.campaigns: dict[str, Json] = {}
        self.statistics: dict[str, Json] = {}
        self.responses: dict[str, Json] = {}
        self.hooks: list[str] = []
        """Addresses that somebody has entered in the settings."""

    # What people do.

    def add_campaign(self, campaign: Json, statistics: Json) -> str:
        self.campaigns[campaign["id"]] = copy.deepcopy(campaign)
        self.statistics[campaign["id"]] = copy.deepcopy(statistics.get("data", statistics))
        return str(campaign["id"])

    def respond(self, campaign_id: str, response_id: str, *, event: str = "completed", **members: Any) -> Json:
        """A survey answered, or closed (`dismissed`); the time stays that of the first."""
        with self.lock:
            created = self.tick()
            response = (
                self.responses.get(response_id, {"created": created})
                | {
                    "id": response_id, "project": PROJECT, "campaign": campaign_id, "method": "In-app", "language": "en",
                    "answers": [], "user": {"id": f"i-{response_id}", "userId": f"u-{response_id}", "deleted": False},
                    "dismissed": event == "dismissed",
                }
                | members
            )  # fmt: skip
            self.responses[response_id] = response
            for hook in self.hooks:
                campaign = {name: self.campaigns[campaign_id][name] for name in ("id", "name")}
                body = {"response": copy.deepcopy(response), "campaign": campaign, "event": event}
                self._queued.append(partial(self.send, hook, body))
            return response

    def delete_user(self, user_id: str) -> None:
        """Their responses stay, and are nobody's."""
        with self.lock:
            for response in self.responses.values():
                if response["user"].get("userId") == user_id:
                    response["user"] = {"id": response["user"]["id"], "userId": None, "deleted": True}

    # What it delivers.

    def send(self, url: str, body: Json) -> Delivery:
        content = json.dumps(body, ensure_ascii=False).encode()
        return self.deliver(url, {"content-type": "application/json"}, content, timeout=DELIVERY_SECONDS)

    # What it answers.

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            return error(401, "Unauthorized")
        if self.over_quota(5, 1):
            return error(429, "Too many requests")
        match request.method, request.parts:
            case "GET", ["api", "v3", "projects", project, *rest] if project == PROJECT:
                return self._project(request, rest)
        return error(404, "Not found")

    def _project(self, request: Request, path: list[str]) -> Answer:
        match path:
            case []:
                return Answer(200, {"data": {"id": PROJECT, "name": "Acme Boards"}})
            case ["campaigns"]:
                return Answer(200, {"data": list(self.campaigns.values())})
            case ["campaigns", campaign_id, "statistics"] if campaign_id in self.campaigns:
                return Answer(200, {"data": self.statistics[campaign_id]})
            case ["campaigns", campaign_id, "responses"] if campaign_id in self.campaigns:
                return self._responses(request, campaign_id)
        return error(404, "Not found")

    def _responses(self, request: Request, campaign_id: str) -> Answer:
        size = int(request.query.get("pageSize", "20"))
        if not 1 <= size <= 100:
            return error(400, "pageSize must be between 1 and 100")
        month_ago = (datetime.now(UTC) - timedelta(days=30)).isoformat()
        start = datetime.fromisoformat(request.query.get("startDate", month_ago))
        found = [
            response
            for response in self.responses.values()
            if response["campaign"] == campaign_id and datetime.fromisoformat(response["created"]) >= start
        ]
        found.sort(key=lambda response: (response["created"], response["id"]), reverse=True)
        cursor = request.query.get("pageCursor")
        ids = [response["id"] for response in found]
        if cursor is not None and cursor not in ids:
            return error(400, "Invalid cursor")
        begin = ids.index(cursor) if cursor is not None else 0
        shown = [
            {name: value for name, value in response.items() if name not in WEBHOOK_ONLY}
            for response in found[begin : begin + size]
        ]
        following = ids[begin + size] if begin + size < len(ids) else None
        return Answer(200, {"data": shown, "page": {"hasNextPage": following is not None, "nextPageCursor": following}})


def error(status: int, title: str) -> Answer:
    return Answer(status, {"errors": [{"title": title}]})
