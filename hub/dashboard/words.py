"""What people wrote: the words most of them use, and the newest comments or those that were searched for."""

import html
import re
from datetime import datetime

import msgspec
from msgspec import structs

from hub import cursors
from hub.dashboard.asked import Asked
from hub.dashboard.render import counted, day, number
from hub.dashboard.together import together
from hub.dashboard.view import Bar, Choice, Comment, Words
from hub.db import Pool, search
from hub.db.search import Index, Search, TermSearch
from hub.model import FoundText, RecordFilter, query_string

_COMMENTS, _TERMS = 8, 14
_SEGMENTS = {"": "All", "promoter": "Promoters", "passive": "Passives", "detractor": "Detractors"}
_MARK = re.compile(r"(<mark>.*?</mark>)", re.DOTALL)


async def words(pool: Pool, index: Index, asked: Asked) -> Words:
    """Of whoever the filters select, whatever else they were asked: a comment belongs to its submission."""
    looking = asked.looking
    selection = structs.replace(asked.selection, field_id=(), field_type=())
    complete = await index.catch_up(selection.tenant_id)
    wanted = Search(q=looking.q or None, segment=looking.segment, limit=_COMMENTS, cursor=looking.cursor)
    (texts, following), (read, terms) = await together(
        search.page(pool, selection, wanted), search.terms(pool, selection, TermSearch(segment=looking.segment, limit=_TERMS))
    )  # fmt: skip
    most = max((term.count for term in terms), default=1)
    return Words(
        q=looking.q,
        kept=[(name, value) for name, value in asked.pairs if name not in ("q", "cursor")],
        segments=[
            Choice(
                label=label, value=asked.link("cursor", segment=name) + "#words", selected=name == (looking.segment or "")
            )
            for name, label in _SEGMENTS.items()
        ],
        terms=[
            Bar(
                label=term.label, count=term.count, width=round(100 * term.count / most, 1),
                href=asked.link("cursor", q=f'"{term.label}"') + "#words",
            )
            for term in terms
        ],
        terms_of=f"in {counted(read, 'comment')}" + ("" if complete else ", more are still being read"),
        comments=[_comment(msgspec.json.decode(text, type=FoundText)) for text in texts],
        more=None if following is None else asked.link(cursor=cursors.encode(following)) + "#words",
        note=f"searched for {looking.q}" if looking.q else "",
    )  # fmt: skip


def _comment(found: FoundText) -> Comment:
    about = (
        found.source_name or found.source_type, found.field_label, day(datetime.fromisoformat(found.collected_at)),
    )  # fmt: skip
    alone = RecordFilter(tenant_id=found.tenant_id, submission_id=(found.submission_id,))
    return Comment(
        parts=_parts(found.highlight) if found.highlight else [(found.value_text or "", False)],
        language=found.language or "",
        score="" if found.nps is None else number(found.nps),
        kind=_kind(found.nps),
        note=" · ".join(text for text in about if text),
        href=f"records?{query_string(alone)}",
    )


def _parts(highlight: str) -> list[tuple[str, bool]]:
    """The text behind the HTML of a hit: what is shown is escaped here again, as everything is."""
    found = []
    for part in _MARK.split(highlight):
        hit = part.startswith("<mark>")
        found.append((html.unescape(part[6:-7] if hit else part), hit))
    return [(text, hit) for text, hit in found if text]


def _kind(score: float | None) -> str:
    if score is None:
        return ""
    return "promoter" if score >= 9 else "passive" if score >= 7 else "detractor"  # noqa: PLR2004 - NPS
