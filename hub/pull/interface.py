"""What the API of a survey tool is to the hub: where it is asked, what it gives, how it fails."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from msgspec import Raw, Struct


class VendorError(Exception):
    """The vendor could not be asked, or did not give what it was asked for; the message is for people."""


class RefusedError(VendorError):
    """The vendor refuses, and would again: a key without a permission, something that is not there."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class UnavailableError(VendorError):
    """The vendor did not answer, or not with anything of use, however often it was asked. Later it may."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class AddressError(VendorError):
    """The address is none that the hub may ask: not http, or not public."""


class Listed(Struct, frozen=True, kw_only=True):
    """A survey as the vendor lists it."""

    id: str
    name: str
    state: str | None = None
    responses: int | None = None


class Page(Struct, frozen=True, kw_only=True):
    """A few submissions of one survey, each a payload as its source reads it."""

    payloads: list[Raw]
    checkpoint: str
    """Goes on after this page, once it is stored."""
    remaining: int | None = None
    """How many are still to come, where the vendor tells."""


class Registration(Struct, frozen=True, kw_only=True):
    """A webhook, as far as the vendor lets a program set it up."""

    secrets: tuple[str, ...] = ()
    """Deliveries are signed with one of these. The vendor does not tell them again."""
    to_do: str = ""
    """What a person has to do at the vendor, where no API does it."""


class Vendor(Protocol):
    """One account at a survey tool. Every method raises `VendorError`."""

    OVERLAP: timedelta
    """How far a pull reaches back behind the start of the one before: what the vendor shows late or changes silently."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    async def check(self) -> str:
        """What the credentials open, in words. Raises `RefusedError` if nothing."""

    async def forms(self) -> list[Listed]:
        """The surveys, drafts and closed ones too."""

    async def definition(self, form_id: str) -> Raw | None:
        """The survey as its source reads it; nothing if the vendor has none of this id."""

    def pages(self, form_id: str, *, since: datetime | None, checkpoint: str | None = None) -> AsyncIterator[Page]:
        """The submissions changed since a time, or all; after a checkpoint, what followed it, with the same `since`.

        A submission may come twice. Pages end when the vendor has no more.
        """

    async def gone(self, form_id: str, known: Collection[str]) -> frozenset[str]:
        """Which of these ids of submissions the vendor has deleted; none where it does not tell."""

    async def register(self, url: str, forms: Sequence[str]) -> Registration:
        """Has answers to these surveys (to all, if none is named) delivered to a URL; what was registered for it before is replaced."""

    async def unregister(self, url: str, forms: Sequence[str]) -> str:
        """Ends what `register` began; nothing happens if it ended before. What a person has to do, where no API does it."""
