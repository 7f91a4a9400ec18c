"""What happened at Northwind in the 78 weeks up to a day.

Scores rise slowly. Nine weeks ago release 4.0 broke the exports of one plan: its NPS fell for a month, and people said why.
The same day gives the same story to the byte, on any machine.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import TypeVar

from msgspec import Struct

from hub.demo import surveys
from hub.demo.sentences import BROKEN, DISLIKED, LIKED, MIXED, TICKETS
from hub.demo.surveys import Json

T = TypeVar("T")

TENANT = "demo"
WEEKS = 78
RELEASE = WEEKS - 9

_SEED = 4
_PEOPLE = 2400
# How many answers a week has at the beginning and at the end.
_PULSE, _ONBOARDING, _IN_APP = (16, 34), (8, 15), (24, 46)
# Promoters and detractors of a hundred.
_MOODS = {"free": (38, 27), "pro": (50, 17), "enterprise": (57, 13)}
_FALLEN = {RELEASE: (17, 58), RELEASE + 1: (27, 44), RELEASE + 2: (36, 31), RELEASE + 3: (46, 21)}
_COUNTRIES = {"en": ("US", "GB", "IE", "CA"), "de": ("DE", "AT", "CH"), "fr": ("FR", "BE")}


class Chance:
    """Draws that are the same on every version of Python: only `random()` promises that."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(f"{_SEED} {seed}")  # noqa: S311 - a story, not a secret

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def another(self) -> "Chance":
        return Chance(str(self.below(1 << 32)))


class Person(Struct, frozen=True, kw_only=True):
    """A customer, who may answer more than once."""

    user_id: str
    plan: str
    language: str
    country: str


class Answer(Struct, frozen=True, kw_only=True):
    """One submission: when, of whom, with which score and, often, why."""

    number: int
    at: datetime
    person: Person
    score: int
    comment: str | None
    chance: Chance
    """For what one survey asks and the others do not."""

    @property
    def mood(self) -> int:
        """-1, 0 or 1."""
        return (self.score >= 9) - (self.score <= 6)

    @property
    def language(self) -> int:
        return surveys.LANGUAGES.index(self.person.language)


def pulse(until: date) -> list[Json]:
    """Responses to the Formbricks survey."""
    return [_pulse_response(answer) for answer in _answers("pulse", _PULSE, until)]


def onboarding(until: date) -> list[Json]:
    """Responses to the Typeform."""
    return [_onboarding_response(answer) for answer in _answers("onboarding", _ONBOARDING, until)]


def in_app(until: date) -> list[Json]:
    """Responses of the SatisMeter campaign."""
    return [_in_app_response(answer) for answer in _answers("in-app", _IN_APP, until)]


def helpdesk(until: date) -> str:
    """A CSV file of the helpdesk's ratings, with the mistakes such files have."""
    lines = [
        "submission_id,source_type,source_id,source_name,field_id,field_label,field_type,value_number,collected_at,user_id,metadata"
    ]
    chance = Chance("helpdesk")
    for number in range(240):
        at = _moment(chance, until - timedelta(days=chance.below(120)))
        score, text = chance.pick((1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5)), at.isoformat()
        kind, value = "csat", str(score)
        if number % 35 == 20:  # somebody edited the file by hand
            value = "n/a"
        elif number % 80 == 50:
            text = at.strftime("%d/%m/%Y")
        elif number == 120:
            kind = "stars"
        subject = chance.pick(TICKETS)
        metadata = f'"{{""scale"": {{""min"": 1, ""max"": 5}}, ""subject"": ""{subject}""}}"'
        user = f"user-{chance.below(_PEOPLE):04}"
        lines.append(
            f"ticket-{number:04},helpdesk,helpdesk,Helpdesk,ticket_csat,How did we do?,{kind},{value},{text},{user},{metadata}"
        )
    return "\n".join(lines) + "\n"


def _answers(survey: str, weekly: tuple[int, int], until: date) -> Iterator[Answer]:
    """Every week draws for itself, so that a day less of the story leaves the rest as it is."""
    monday = until - timedelta(days=until.weekday())
    numbers = count(1)
    for week in range(WEEKS):
        chance = Chance(f"{survey} {week}")
        first = monday - timedelta(weeks=WEEKS - 1 - week)
        for _ in range(round(weekly[0] + (weekly[1] - weekly[0]) * week / WEEKS) + chance.below(5)):
            at = _moment(chance, first + timedelta(days=chance.pick((0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6))))
            answer = _answer(next(numbers), at, week, chance)
            if at.date() <= until:
                yield answer


def _moment(chance: Chance, day: date) -> datetime:
    return datetime.combine(day, time(7 + chance.below(12), chance.below(60), chance.below(60)), UTC)


def _answer(number: int, at: datetime, week: int, chance: Chance) -> Answer:
    person = _person(chance.below(_PEOPLE * (week + 30) // (WEEKS + 30)))
    promoters, detractors = _MOODS[person.plan]
    promoters, detractors = promoters + week // 13, detractors - week // 20
    if person.plan == "pro":
        promoters, detractors = _FALLEN.get(week, (promoters, detractors))
    drawn = chance.below(100)
    if drawn < promoters:
        score = chance.pick((9, 9, 9, 10, 10))
    elif drawn < promoters + detractors:
        score = chance.pick((0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 6))
    else:
        score = chance.pick((7, 7, 8, 8, 8))
    texts = LIKED if score >= 9 else MIXED if score >= 7 else DISLIKED
    if score < 7 and person.plan == "pro" and week in _FALLEN and chance.below(10) < 8:
        texts = BROKEN
    comment = chance.pick(texts[person.language]) if chance.below(100) < 50 - 4 * min(score, 8) + 20 else None
    return Answer(number=number, at=at, person=person, score=score, comment=comment, chance=chance.another())


def _person(number: int) -> Person:
    chance = Chance(f"person {number}")
    language = chance.pick(("en",) * 6 + ("de",) * 3 + ("fr",))
    return Person(
        user_id=f"user-{number:04}",
        plan=chance.pick(("free",) * 7 + ("pro",) * 9 + ("enterprise",) * 4),
        language=language,
        country=chance.pick(_COUNTRIES[language]),
    )


def _pulse_response(answer: Answer) -> Json:
    chance, n, mood = answer.chance, answer.language, answer.mood
    asked = chance.below(100)  # many stop after the first questions
    data: Json = {"nps": answer.score}
    if answer.comment:
        data["reason"] = answer.comment
    if asked < 78:
        data["support"] = _between(1, 4 + mood + chance.pick((-1, 0, 0, 0, 1)), 5)
        data["role"] = chance.pick(tuple(surveys.ROLES.values()))[n]
    if asked < 74:
        data["effort"] = _between(1, 5 + mood + chance.pick((-2, -1, 0, 0, 1, 1)), 7)
    if asked < 70:
        data["features"] = [
            labels[n] for labels, share in zip(surveys.FEATURES.values(), (88, 61, 47, 34, 29), strict=True)
            if chance.below(100) < share
        ]  # fmt: skip
    if asked < 55:
        grades = tuple(surveys.GRADES.values())
        data["areas"] = {
            labels[n]: grades[_between(0, 1 + mood + chance.pick(lean), 2)][n]
            for labels, lean in zip(surveys.AREAS.values(), ((0, 0, 1), (0, 0, 0, 1, -1), (-1, -1, 0)), strict=True)
        }
    if asked < 48:
        ranked = sorted(
            zip((3, 2.4, 1.2, 0.8), surveys.ROADMAP.values(), strict=True),
            key=lambda item: -item[0] * chance.below(1000),
        )
        data["roadmap"] = [labels[n] for _, labels in ranked]
    finished = asked < 60
    seconds = 20 + chance.below(60) + 12 * len(data)
    return {
        "id": f"pulse-{answer.number:05}",
        "surveyId": surveys.PULSE,
        "createdAt": answer.at.isoformat(),
        "updatedAt": (answer.at + timedelta(seconds=seconds)).isoformat(),
        "finished": finished,
        "data": data,
        "ttc": {"_total": seconds * 1000, "nps": seconds * 1000},
        "language": answer.person.language,
        "contact": {"id": answer.person.user_id, "userId": answer.person.user_id},
        "contactAttributes": {"userId": answer.person.user_id, "plan": answer.person.plan},
        "meta": {"country": answer.person.country, "userAgent": {"device": chance.pick(("desktop",) * 4 + ("phone",))}},
    }  # fmt: skip


def _onboarding_response(answer: Answer) -> Json:
    chance, mood = answer.chance, answer.mood
    reached = chance.pick(("started", "partial", "completed", "completed", "completed", "completed", "completed"))
    answers: list[Json] = []

    def say(place: int, kind: str, **value: object) -> None:
        field = surveys.ONBOARDING_FORM["fields"][place]  # type: ignore[index] # a list of them
        answers.append({"type": kind, "field": {name: field[name] for name in ("id", "type", "ref")}, **value})

    if reached != "started":
        say(0, "number", number=_between(1, 4 + mood + chance.pick((-1, 0, 0, 1)), 5))
        say(1, "number", number=_between(1, 5 + mood + chance.pick((-2, -1, 0, 0, 1, 1)), 7))
    if reached == "completed":
        channel = chance.pick((0, 0, 0, 1, 1, 2, 3))
        say(
            2,
            "choice",
            choice={"id": f"channel{channel}", "ref": f"channel{channel}", "label": surveys.CHANNELS[channel]},
        )
        say(3, "boolean", boolean=chance.below(100) < 70 + 22 * mood)
        say(4, "number", number=chance.pick((1, 2, 3, 5, 8, 8, 12, 20, 35, 60, 140)))
        if answer.comment and mood < 1:
            say(5, "text", text=answer.comment)
    end = answer.at + timedelta(seconds=40 + chance.below(200))
    return {
        "token": f"onboarding-{answer.number:05}",
        "response_type": reached,
        "landed_at": answer.at.isoformat(),
        "submitted_at": end.isoformat() if reached == "completed" else "0001-01-01T00:00:00Z",
        "hidden": {"user_id": answer.person.user_id, "plan": answer.person.plan},
        "answers": answers or None,
    }


def _in_app_response(answer: Answer) -> Json:
    # Whoever closes the survey at the first question has still given a score.
    dismissed = answer.chance.below(100) < 12
    comment = None if dismissed else answer.comment
    said: list[Json] = [
        {"id": "inapp-rating", "label": "How likely are you to recommend Northwind?", "type": "scale", "metric": "nps",
         "name": "SM_rating", "value": answer.score}
    ]  # fmt: skip
    if comment:
        said.append(
            {"id": "inapp-comment", "label": "What could we do better?", "type": "long-text", "name": "SM_comment", "value": comment}
        )  # fmt: skip
    return {
        "id": f"in-app-{answer.number:05}",
        "created": answer.at.isoformat(),
        "campaign": surveys.IN_APP,
        "method": "In-app",
        "language": answer.person.language,
        "dismissed": dismissed,
        "answers": said,
        "user": {"userId": answer.person.user_id, "traits": {"plan": answer.person.plan}},
        "location": {"country": {"code": answer.person.country}},
    }


def _between(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))
