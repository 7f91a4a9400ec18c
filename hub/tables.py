"""CSV files with columns of their own, read with a mapping: looked at, tried out, and sent to a running hub."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from hub import sources
from hub.api import tables
from hub.api.problems import Problem
from hub.api.tables import Table
from hub.backfill import CsvRows, Failure, Input, Outcome, PayloadUpload, Plan, UnusableFileError, reason_of
from hub.client import Client
from hub.model import NewRecord
from hub.sources import csv
from hub.sources.bodies import legible
from hub.sources.interface import Given, NotOfSourceError, Options, UnreadableError
from hub.streams import Item

_NOT_FOUND = 404
# A response whose rows go on for longer is sent in parts, which the hub puts together; a question with rows in two parts keeps the later.
_MOST_BYTES = 4 * 1024 * 1024


class UnusableMappingError(Exception):
    """The mapping cannot be meant; the message says why."""


class MappingFile:
    """A mapping as it stands in a file."""

    def __init__(self, text: bytes, form_id: str | None = None) -> None:
        """Raises `UnusableMappingError`."""
        try:
            self.definition = legible(text)
            self.table = csv.form(self.definition)
        except (UnreadableError, NotOfSourceError) as error:
            raise UnusableMappingError(str(error)) from None
        if not (form_id or self.table.form_id):
            raise UnusableMappingError("It has no form_id, so --form must say what it is stored as")
        if form_id and self.table.form_id not in (None, form_id):
            raise UnusableMappingError(f"Its form_id is {self.table.form_id}, and --form says {form_id}")
        self.form_id = form_id or self.table.form_id or ""

    def envelope(self, rows: Sequence[dict[str, str]]) -> Raw:
        """What the source takes."""
        return legible(msgspec.json.encode({"mapping": self.definition, "rows": rows}))


def beginning(file: Path, count: int) -> tuple[list[str], list[dict[str, str]]]:
    """The names of the columns and the first rows that are some. Raises `UnusableFileError`."""
    with file.open("rb") as stream:
        table = CsvRows()
        rows = table.read(Input(stream).pieces())
        if not table.header:
            raise UnusableFileError("There is no header")
        header = _table(table.header)
        return header.names, list(islice((row for row in map(header.row, rows) if "" not in row), count))


class Rows:
    """The rows of a file. Those of one response that follow each other are one item: alone each would seem to be all of it."""

    def __init__(self, mapping: MappingFile) -> None:
        self._mapping = mapping
        self.file = CsvRows()
        self._parts: set[int] = set()
        """The lines of items that go on with the response of the item before."""

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        """Raises `UnusableFileError` for a header that the mapping does not fit."""
        rows = self.file.read(pieces)
        if not self.file.header:
            return
        header = _table(self.file.header)
        unknown = [name for name in header.names if name not in self._mapping.table.layout.columns]
        if unknown:
            raise UnusableFileError(
                f"The mapping does not say what {', '.join(unknown)} is; `ignore` is an answer, too"
            )
        group: list[Item] = []
        size = 0
        last: tuple[str, ...] | None = None
        for row in rows:
            key = self._key(header, row)
            if group and (key is None or key != last or size > _MOST_BYTES):
                yield _joined(group)
                group, size = [], 0
                if key is not None and key == last:
                    self._parts.add(row.line)
            group.append(row)
            size += len(row.raw)
            last = key
        if group:
            yield _joined(group)

    def responses(self, items: Sequence[Item]) -> list[Item]:
        """One for each response, as the hub counts them: of the parts of one that follow each other it makes one again."""
        found: list[list[Item]] = []
        for item in items:
            if found and item.line in self._parts:
                found[-1].append(item)
            else:
                found.append([item])
        return [_joined(parts) for parts in found]

    def table(self, items: Sequence[Item]) -> bytes:
        """A file of these alone."""
        return b"\n".join([self.file.header, *(item.raw for item in items)]) + b"\n"

    def _key(self, header: Table, row: Item) -> tuple[str, ...] | None:
        """What the rows of a response share; none where it is not told, or each row is a response."""
        table = self._mapping.table
        if table.layout.layout == "wide":
            return None
        cells = header.row(row)
        key = tuple(cells.get(name, "").strip() for name in table.columns["submission_id"])
        return key if all(key) else None


class TableUpload(PayloadUpload):
    """A CSV file and its mapping, to the endpoint of its source."""

    def __init__(self, client: Client, plan: Plan, mapping: MappingFile) -> None:
        super().__init__(client, plan)
        self._mapping = mapping
        self._rows = Rows(mapping)

    def prepare(self) -> None:
        """Has the hub know the mapping. One that it knows already would only be applied to everything again."""
        path, query = f"/v1/sources/csv/forms/{quote(self._mapping.form_id, safe='')}", self._query()
        answer = self._client.request("GET", path, query=query, accept=frozenset({_NOT_FOUND}))
        if answer.is_success:
            known = msgspec.json.decode(msgspec.json.decode(answer.content, type=_Defined).definition)
            if known == msgspec.json.decode(self._mapping.definition):
                return
        self._client.request(
            "PUT", path, query=query, body=bytes(self._mapping.definition), headers={"content-type": "application/json"}
        )

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        return self._rows.items(pieces)

    def send(self, items: Sequence[Item]) -> Outcome:
        return self._post(self._rows.responses(items))

    def rejected(self, failures: Sequence[Failure], *, first: bool) -> bytes:
        return self._rows.file.marked(failures, first=first)

    _media_type = "text/csv"

    def _body(self, items: Sequence[Item]) -> bytes:
        return self._rows.table(items)


class Trial:
    """What a file would become, without a hub: each record is shown, nothing is stored."""

    most = 1

    def __init__(self, plan: Plan, mapping: MappingFile, show: Callable[[NewRecord], None]) -> None:
        self._plan = plan
        self._mapping = mapping
        self._rows = Rows(mapping)
        self._show = show

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        """The responses of the file."""
        return self._rows.items(pieces)

    def send(self, items: Sequence[Item]) -> Outcome:
        """Shows what they would become."""
        outcome = Outcome()
        for item in items:
            rows = list(tables.rows(self._rows.table([item])))
            for response in csv.unpack(self._mapping.envelope(rows)):
                outcome.add(self._tried(item, response))
        return outcome

    def rejected(self, failures: Sequence[Failure], *, first: bool) -> bytes:
        """As they came."""
        return self._rows.file.marked(failures, first=first)

    def stop(self) -> None:
        """There is nothing to wait for."""

    def _tried(self, item: Item, response: Raw) -> Outcome:
        try:
            snapshot = csv.snapshot(response, Given(form_id=self._mapping.form_id, known_as=_somebody))
        except UnreadableError as error:
            return Outcome(Counter(rejected=1), [Failure(item, str(error))])
        tenant_id = self._plan.tenant_id or "-"
        records, skipped = sources.flatten(csv, snapshot, self._mapping.table, Options(), tenant_id)
        for record in records:
            self._show(record)
        counts = Counter(f"skipped: {skip.reason}" for skip in skipped)
        return Outcome(counts + Counter(submissions=1, records=len(records)))


class _Defined(Struct):
    definition: Raw


def _somebody(address: str) -> str:  # noqa: ARG001 - only a hub has the key
    return "email:"


def _table(header: bytes) -> Table:
    """Raises `UnusableFileError` for a header that cannot be read."""
    try:
        return Table(header)
    except Problem as error:
        raise UnusableFileError(reason_of(error)) from None


def _joined(rows: list[Item]) -> Item:
    return rows[0] if len(rows) == 1 else Item(rows[0].line, b"\n".join(row.raw for row in rows))
