"""Full-text search: handler, then database function."""

from urllib.parse import urlencode

from litestar import get

from hub import cursors
from hub.api import params
from hub.api.answers import Json
from hub.api.openapi import Operation
from hub.api.strict import StrictRequest
from hub.db import search
from hub.db.search import Search, TermSearch
from hub.model import FoundPage, RecordFilter, Term, Terms


@get(
    "/v1/feedback-records/search",
    opt={"operation": Operation(scope="read", query=(RecordFilter, Search), answers={200: FoundPage}, problems=(400,))},
)
async def search_feedback_records(request: StrictRequest) -> Json:
    """Search a tenant's text answers, the latest first.

    `q` is what search engines take: words that must all be there, in any form their language gives them, `"a phrase"`, `or`, and
    `-` before what must not be there. Without it, all text answers. `segment` is by the NPS answer of the same submission.
    """
    selection, wanted = params.read(
        request.scope["query_string"], RecordFilter, Search, tenant_id=request.principal.tenant_id, closed=True
    )
    request.exchange.tenant_id = selection.tenant_id
    complete = await request.index.catch_up(selection.tenant_id)
    texts, following = await search.page(request.pool, selection, wanted)
    request.exchange.counts = {"records": len(texts)}
    end = "" if following is None else f',"next_cursor":"{cursors.encode(following)}"'
    data = ",".join(texts)
    return Json(f'{{"data":[{data}],"limit":{wanted.size},"complete":{str(complete).lower()}{end}}}'.encode())


@get(
    "/v1/analytics/terms",
    opt={"operation": Operation(scope="read", query=(RecordFilter, TermSearch), answers={200: Terms}, problems=(400,))},
)
async def list_terms(request: StrictRequest) -> Terms:
    """List the words that most text answers have.

    Each counts once a text, whatever its form. Words that every text has, like `the`, are left out where the language is known.
    """
    query = request.scope["query_string"]
    selection, wanted = params.read(query, RecordFilter, TermSearch, tenant_id=request.principal.tenant_id, closed=True)
    request.exchange.tenant_id = selection.tenant_id
    complete = await request.index.catch_up(selection.tenant_id)
    texts, found = await search.terms(request.pool, selection, wanted)
    kept = [pair for pair in params.pairs(query) if pair[0] != "limit"]
    return Terms(
        texts=texts,
        complete=complete,
        terms=[
            Term(
                term=each.term,
                label=each.label,
                count=each.count,
                share=100 * each.count / texts,
                records=urlencode([*kept, ("q", f'"{each.label}"')]),
            )
            for each in found
        ],
    )


ROUTES = (search_feedback_records, list_terms)
