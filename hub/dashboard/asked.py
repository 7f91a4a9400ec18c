"""What a browser asks for: the filters of the API, and a few words of the page's own for periods and parts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, structs

from hub import periods
from hub.api import params
from hub.api.problems import InvalidParam, ValidationFailed
from hub.cursors import Cursor
from hub.dashboard.render import day
from hub.dashboard.scores import SCORES
from hub.db.analytics import dimension
from hub.model import EARLIEST, LATEST, FieldType, Name, RecordFilter, Segment
from hub.periods import Interval

FUTURE = "must not be in the future: a period without an end ends now"

Period = Literal["30d", "90d", "12m", "all"]

PERIODS: dict[Period, str] = {"30d": "30 days", "90d": "90 days", "12m": "12 months", "all": "All"}
_DAYS: dict[Period, int] = {"30d": 30, "90d": 90, "12m": 365}
_LONG, _VERY_LONG = 45, 400
_TICK = timedelta(microseconds=1)


class Looking(Struct, kw_only=True, frozen=True, rename={"from_": "from"}):
    """What the page takes beside the filter."""

    period: Period | None = None
    from_: Annotated[str, Meta(max_length=10)] = ""
    to: Annotated[str, Meta(max_length=10)] = ""
    interval: Interval | None = None
    tz: Annotated[str, Meta(max_length=64)] = "UTC"
    compare: Literal["previous", "none"] = "previous"
    group_by: Annotated[str, Meta(max_length=264)] = ""
    score: FieldType | None = None
    """Which score is looked at over time and by group."""
    q: Name = ""
    segment: Segment | None = None
    cursor: Cursor | None = None
    """Where the comments go on."""


class Asked(Struct, kw_only=True, frozen=True):
    """One look at the page."""

    selection: RecordFilter
    """With the period. Without one, everything."""
    earlier: RecordFilter | None
    """The same for the period before, if there is one to compare with."""
    looking: Looking
    interval: Interval
    zone: ZoneInfo
    pairs: Sequence[tuple[str, str]]
    """The query as it came, for the links."""
    has_span: bool = False
    """The period came as `since` or `until`."""

    def without(self, name: str) -> "Asked":
        """The same without one of the filters."""
        return structs.replace(self, selection=structs.replace(self.selection, **{name: ()}))

    def is_all_before(self, first: date) -> bool:
        """Whether the bucket that begins with this day is all in the period before."""
        since, until = periods.bounds([first], self.interval, self.zone)[0]
        return (
            self.earlier is not None
            and self.earlier.since is not None
            and self.earlier.until is not None
            and self.earlier.since <= since
            and until <= self.earlier.until
        )

    def last_day(self, first: date) -> date:
        """Of the bucket that begins with this day."""
        return periods.bounds([first], self.interval, self.zone)[0][1].astimezone(self.zone).date()

    def named(self, first: date) -> str:
        """The bucket that begins with this day."""
        match self.interval:
            case "day":
                return f"{first:%A}, {day(first)}"
            case "week":
                return f"Week of {day(first)}"
            case "month":
                return f"{first:%B %Y}"
            case "quarter":
                return f"Quarter {(first.month + 2) // 3} of {first.year}"

    def labeled(self, first: date) -> str:
        """What stands below its column; equal neighbors share one."""
        if self.interval == "day":
            return f"{first.day} {first:%b}"
        return f"{first:%b %Y}" if first.month == 1 else f"{first:%b}"

    def link(self, *without: str, **changes: str | None) -> str:
        """The address of this look, changed."""
        kept = [(name, value) for name, value in self.pairs if value and name not in without and name not in changes]
        return "./?" + urlencode([*kept, *((name, value) for name, value in changes.items() if value)])

    @property
    def period(self) -> str:
        """In words for people."""
        since, until = self.selection.since, self.selection.until
        if since is None or until is None:
            return "since the beginning" if since is None else f"since {day(since.astimezone(self.zone))}"
        return f"{day(since.astimezone(self.zone))} to {day(until.astimezone(self.zone))}"


def read(query: bytes, tenant_id: str | None, now: datetime) -> Asked:
    """Raises `ValidationFailed` with every fault."""
    selection, looking = params.read(query, RecordFilter, Looking, tenant_id=tenant_id, closed=True, rules=_faults)
    zone = periods.zone(looking.tz)
    assert zone is not None, "checked when it was read"  # noqa: S101
    since, until = _span(selection, looking, zone, now)
    if since is not None and until is not None and since > until:
        raise ValidationFailed([InvalidParam("from" if looking.from_ else "since", FUTURE)])
    interval = looking.interval or _interval(since, until)
    by_length = not (looking.from_ or looking.to) and (looking.period is not None or selection.since is None)
    if since is not None and by_length:  # whole weeks and months: a first one cut short would look like a change
        since = periods.start(periods.floor(since.astimezone(zone).date(), interval), zone)
    earlier = None
    if (
        looking.compare == "previous"
        and since is not None
        and until is not None
        and periods.has_before(since, until, zone)
    ):
        first, last = periods.before(since, until, zone)
        earlier = structs.replace(selection, since=first, until=last)
    pairs = parse_qsl(query.decode("latin-1"), encoding="utf-8")
    return Asked(
        selection=structs.replace(selection, since=since, until=until), earlier=earlier, looking=looking, interval=interval,
        zone=zone, has_span=bool(selection.since or selection.until), pairs=pairs if "tenant_id" in dict(pairs) else [("tenant_id", selection.tenant_id), *pairs],
    )  # fmt: skip


def _faults(given: Mapping[str, object]) -> Iterator[InvalidParam]:
    """Those that the types of the parameters cannot say."""
    if periods.zone(str(given.get("tz", "UTC"))) is None:
        yield InvalidParam("tz", "must be a time zone of the IANA database")
    group_by, score = given.get("group_by"), given.get("score")
    if group_by and dimension(str(group_by)) is None:
        yield InvalidParam("group_by", "is nothing to group by")
    if score is not None and score not in SCORES:
        yield InvalidParam("score", f"must be one of: {', '.join(SCORES)}")
    days: list[date] = []
    for name, member in (("from", "from_"), ("to", "to")):
        try:
            found = _day(str(given.get(member, "")))
        except ValueError:
            yield InvalidParam(name, "must be a date, such as 2026-11-21")
            continue
        if found is not None and not EARLIEST.date() <= found <= LATEST.date():
            yield InvalidParam(name, f"must be between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d}")
        elif found is not None:
            days.append(found)
    if days != sorted(days):
        yield InvalidParam("from", "must not be after to")


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _span(
    selection: RecordFilter, looking: Looking, zone: ZoneInfo, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment. Days chosen by hand win over a period of the API, and that over one by its length."""
    today = now.astimezone(zone).date()
    if looking.from_ or looking.to:
        first, last = _day(looking.from_), _day(looking.to) or today
        return None if first is None else periods.start(first, zone), periods.start(
            last + timedelta(days=1), zone
        ) - _TICK
    if looking.period is None and (selection.since or selection.until):
        return selection.since, selection.until or now.astimezone(UTC)
    length = _DAYS.get(looking.period or "90d")
    if length is None:
        return None, None
    end = periods.start(today + timedelta(days=1), zone) - _TICK
    return periods.start(today - timedelta(days=length - 1), zone), end


def _interval(since: datetime | None, until: datetime | None) -> Interval:
    if since is None or until is None or (until - since).days > _VERY_LONG:
        return "month"
    return "week" if (until - since).days > _LONG else "day"
