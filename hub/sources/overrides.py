"""Answers that are meant as another score than their survey tool can say."""

import msgspec

from hub.model import Draft
from hub.sources.drafts import fitting_id
from hub.sources.interface import Override, Reason, Scale, Skipped
from hub.sources.values import ABSENT, as_number, encoded, gently, joined, members_of

NPS = Scale(0, 10)
_WORDS = ("text", "categorical")


def overridden(draft: Draft, wanted: Override) -> Draft | Skipped:
    """The draft as its question was meant, whatever the tool calls it. The scale that is configured stands for the one told."""

    def skip(reason: Reason, detail: str) -> Skipped:
        return Skipped(field_id=fitting_id(draft.field_id), reason=reason, detail=detail)

    number, in_words = draft.value_number, draft.field_type in _WORDS
    if number is None and wanted.field_type is None:
        return draft
    if in_words:
        number = as_number(draft.value_text)
    if number is None:
        return skip("unparseable", "not a number")
    members = members_of(draft.metadata)
    scale = wanted.scale or (NPS if wanted.field_type == "nps" else gently(members["scale"], Scale))
    if scale and not scale.min <= number <= scale.max:
        return skip("out_of_range", f"not between {scale.min} and {scale.max}")
    said = {"scale": encoded(scale) if scale else ABSENT, "coerced": encoded(True) if in_words else members["coerced"]}
    if wanted.field_type:
        said["inferred"] = ABSENT  # nothing had to be guessed
    return msgspec.structs.replace(
        draft,
        field_type=wanted.field_type or draft.field_type,
        value_text=None,
        value_id=None,
        value_number=number,
        metadata=joined({name: value for name, value in {**members, **said}.items() if value != ABSENT}),
    )
