"""The page `/` as data: every number asked of the functions that answer the HTTP API, then put where the template shows it."""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, structs

from hub.cursors import DEFAULT_LIMIT
from hub.dashboard import charts
from hub.dashboard.asked import PERIOD_NAMES, PERIODS, Asked
from hub.dashboard.charts import Point, Slice, Trend
from hub.dashboard.render import NOTHING, number, signed
from hub.dashboard.scores import NPS_SCORE, Score, Tone
from hub.db import Pool
from hub.db.analytics import VOLUME, Breakdown, Metric, report
from hub.metrics import Bucket, Change, Report
from hub.model import RecordFilter, query_string

T = TypeVar("T")


class Choice(Struct, frozen=True, kw_only=True):
    """One of several; the value is an address where it is a link."""

    label: str
    value: str
    selected: bool = False


class Select(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    label: str
    choices: list[Choice]


class Chip(Struct, frozen=True, kw_only=True):
    """A filter that is on, and the way to take it off."""

    name: str
    value: str
    href: str


class Tile(Struct, frozen=True, kw_only=True):
    """A big number."""

    name: str
    value: str
    interval: str = ""
    change: str = ""
    tone: Tone = ""
    than: str = ""
    note: str = ""
    href: str | None = None
    spark: str | None = None


class Share(Struct, frozen=True, kw_only=True):
    kind: str
    label: str
    count: int
    share: float | None
    href: str


class Row(Struct, frozen=True, kw_only=True):
    """A bucket in words, for whoever does not see the drawing."""

    label: str
    count: int
    value: float | None
    interval: str
    parts: list[int]
    href: str | None


class OverTime(Struct, frozen=True, kw_only=True):
    """A score and what it is made of."""

    title: str
    slices: list[Slice]
    shares: list[Share]
    trend: Trend
    before: list[str]
    bars: list[float]
    rows: list[Row]
    parts: list[str]
    note: str
    bucket: str


class GroupRow(Struct, frozen=True, kw_only=True):
    label: str
    count: int
    low_sample: bool
    slices: list[Slice]
    value: str
    interval: str
    at: float | None
    low: float | None
    high: float | None
    spark: str | None
    change: str
    tone: Tone
    href: str | None
    records: str | None


class Groups(Struct, frozen=True, kw_only=True):
    title: str
    by: str
    note: str
    zero: float | None
    rows: list[GroupRow]
