"""How far people got: in each form how many finished it, and how many answered each question."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from hub.dashboard.asked import Asked
from hub.dashboard.render import called, lasted, number, percent
from hub.dashboard.together import together
from hub.dashboard.view import Bar, Completions, Form
from hub.db import Pool
from hub.db.analytics import TooManyBuckets
from hub.db.completion import CompletionReport, SubmissionBreakdown, completion
from hub.db.fields import Field
from hub.metrics import Completion, DropOff, Group, Report, Volume
from hub.model import RecordFilter, SubmissionFilter

_FORMS, _NAMES = 6, 3
# What submissions are selected by as records are. Where a record comes from is the form of its submission.
_KNOWN = {"tenant_id", "source_id", "user_id", "since", "until"}


async def ended(pool: Pool, asked: Asked) -> tuple[CompletionReport, CompletionReport | None]:
    """How the submissions of this time ended, and of them those that are looked at. None where a filter is of records alone."""
    selection = asked.selection
    every = SubmissionFilter(tenant_id=selection.tenant_id, since=selection.since, until=selection.until)
    if any(_unknown(selection)):
        return await _by_form(pool, every), None
    some = structs.replace(every, form_id=selection.source_id, user_id=selection.user_id)
    if some == every:
        found = await _by_form(pool, every)
        return found, found
    of_every, of_some = await together(_by_form(pool, every), _by_form(pool, some))
    return of_every, of_some


async def _by_form(pool: Pool, chosen: SubmissionFilter) -> CompletionReport:
    found = await completion(pool, chosen, SubmissionBreakdown(group_by="form_id"))
    assert not isinstance(found, TooManyBuckets), "nothing is asked over time"  # noqa: S101
    return found


def _unknown(selection: RecordFilter) -> Iterator[str]:
    """The parameters that submissions are not selected by."""
    for field in structs.fields(RecordFilter):
        value = getattr(selection, field.name)
        if field.name == "metadata":
            yield from (f"metadata.{wanted.path}" for wanted in value)
        elif field.name not in _KNOWN and value not in ((), None):
            yield field.name


def completions(
    asked: Asked,
    every: CompletionReport,
    some: CompletionReport | None,
    sources: Report[Volume],
    fields: Sequence[Field],
) -> Completions | None:
    """`sources` is the volume by source, `fields` what was answered. None where no source tells of unfinished submissions."""
    if some is None:
        names = list(_unknown(asked.selection))
        words = " or ".join(dict.fromkeys(map(called, names)))
        note = f"How submissions ended is known by source, person and time, but not by {words}."
        return Completions(note=note, href=asked.link(*names)) if any(map(_tells, _forms(every))) else None
    telling = [form for form in _forms(some) if _tells(form)]
    if not telling:
        return None
    labels = {group.key: group.label for group in sources.groups or []}
    silent = [labels.get(form.key) or form.key or "what has no form" for form in _forms(some) if not _tells(form)]
    omitted = len(telling) - len(telling[:_FORMS]) + some.report.groups_omitted
    notes = [
        f"No word of unfinished submissions from {_listed(silent)}." if silent else "",
        f"{omitted} smaller {'form is' if omitted == 1 else 'forms are'} not shown." if omitted else "",
    ]
    whole = {field.field_id: field for field in fields if field.field_group_id is None}
    return Completions(
        forms=[
            Form(
                label=labels.get(form.key) or form.key or "not said", note=_ended(form.measure),
                href=asked.link(source_id=form.key) if form.key else None,
                questions=[_question(question, form.key, whole) for question in some.of_forms.get(form.key, [])],
            )
            for form in telling[:_FORMS]
        ],
        note=" ".join(filter(None, notes)),
    )  # fmt: skip


def _forms(found: CompletionReport) -> list[Group[Completion]]:
    return found.report.groups or []


def _tells(form: Group[Completion]) -> bool:
    return form.measure.started is not None


def _listed(names: Sequence[str]) -> str:
    """The first of them, and how many more."""
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _ended(measure: Completion) -> str:
    begun = measure.submissions - (measure.dismissed or 0)
    parts = [f"{number(measure.completed)} of {number(begun)} completed"]
    if measure.completion_rate is not None:
        sure = f"{number(measure.ci_low)} to {number(measure.ci_high)}"
        parts[0] += f", {percent(measure.completion_rate)} ({sure})"
    if measure.median_duration_seconds is not None:
        parts.append(f"median {lasted(measure.median_duration_seconds)}")
    if measure.dismissed:
        parts.append(f"{number(measure.dismissed)} dismissed")
    return " · ".join(parts)


def _question(question: DropOff, form_id: str | None, whole: Mapping[str, Field]) -> Bar:
    """With its records, where these are one for each submission that answered: not of a question in parts, or of two forms."""
    field, reached = whole.get(question.field_id), 100 - question.drop_off
    if field is not None and (field.source_id, field.count) != (form_id, question.answered):
        field = None
    return Bar(
        label=question.label or question.field_id, width=round(reached, 1), count=question.answered,
        detail=number(question.answered), value=percent(reached), href=f"records?{field.records}" if field else None,
    )  # fmt: skip
