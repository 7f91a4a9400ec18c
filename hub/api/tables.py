"""CSV rows as the JSON objects they stand for, so that one set of rules checks both: records, or rows of any table."""

import csv
import re
from collections.abc import Iterator
from itertools import chain

import msgspec
from msgspec import Raw, structs

from hub.api.faults import REPEATED, REQUIRED, UNKNOWN
from hub.api.problems import BadRequest, InvalidParam, ValidationFailed
from hub.model import NewRecord
from hub.streams import MAX_ITEM_BYTES, CsvSplitter, Item, delimiter_of

csv.field_size_limit(MAX_ITEM_BYTES)

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_PREFIX = "metadata."


class Header:
    """The first row of any CSV file."""

    def __init__(self, header: bytes) -> None:
        """Raises `BadRequest` when it cannot be read."""
        self._delimiter = delimiter_of(header).decode()
        self.names = [name.strip() for name in self._cells(_text(header.removeprefix(b"\xef\xbb\xbf")))]

    def cells(self, row: bytes) -> list[str]:
        """Raises `BadRequest` for what is no row of this file."""
        cells = self._cells(_text(row))
        if len(cells) != len(self.names):
            raise BadRequest(f"Invalid CSV: expected {len(self.names)} cells, got {len(cells)}")
        return cells

    def _repeated(self) -> list[InvalidParam]:
        return [InvalidParam(name[:64], REPEATED) for name in dict.fromkeys(self.names) if self.names.count(name) > 1]

    def _cells(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
        except csv.Error as error:
            raise BadRequest(f"Invalid CSV: {error}") from None


class Table(Header):
    """The header of a CSV file whose columns may have any names."""

    def __init__(self, header: bytes) -> None:
        """Raises `BadRequest` when it cannot be read, `ValidationFailed` for columns that have no name or share one."""
        super().__init__(header)
        faults = [
            InvalidParam(f"column {place}", "has no name") for place, name in enumerate(self.names, 1) if not name
        ]
        if faults or self._repeated():
            raise ValidationFailed([*faults, *self._repeated()])

    def row(self, item: Item) -> dict[str, str]:
        """Its cells by the names of their columns. One that is no row says why under the empty name."""
        if item.too_long:
            return {"": f"a row must be at most {MAX_ITEM_BYTES} bytes"}
        try:
            return dict(zip(self.names, self.cells(item.raw), strict=True))
        except BadRequest as error:
            return {"": str(error)}


def rows(body: bytes) -> Iterator[dict[str, str]]:
    """A whole CSV file as objects. Raises `BadRequest` and `ValidationFailed` for its header."""
    splitter = CsvSplitter()
    items = chain(splitter.feed(body), splitter.finish())
    header = next(items, None)
    if header is None:
        raise BadRequest("Invalid CSV: there is no header")
    yield from map(Table(header.raw).row, items)


class Columns(Header):
    """The header of a CSV file of records: their members, and `metadata.<key>` for single members of the metadata."""

    def __init__(self, header: bytes, kind: type[NewRecord] = NewRecord) -> None:
        """Raises `BadRequest` when it cannot be read, `ValidationFailed` for unknown, repeated and missing columns."""
        super().__init__(header)
        faults = [InvalidParam(name[:64], UNKNOWN) for name in self.names if not _known(name)]
        faults += self._repeated()
        faults += [
            InvalidParam(field.name, REQUIRED)
            for field in structs.fields(kind)
            if field.required and field.name not in self.names
        ]
        if faults:
            raise ValidationFailed(faults)

    def json(self, row: bytes) -> bytes:
        """The row as a JSON object; an empty cell is an absent member. Raises `BadRequest` for what is no row."""
        return msgspec.json.encode(dict(self._members(self.cells(row))))

    def _members(self, cells: list[str]) -> Iterator[tuple[str, object]]:
        metadata: dict[str, str] = {}
        whole: str | None = None
        for name, cell in zip(self.names, cells, strict=True):
            if cell == "":
                continue
            if name == "metadata":
                whole = cell
            elif name.startswith(_PREFIX):
                metadata[name.removeprefix(_PREFIX)] = cell
            elif name == "value_number":
                yield name, Raw(cell.encode()) if _NUMBER.fullmatch(cell) else cell
            elif name == "value_boolean":
                yield name, {"true": True, "false": False}.get(cell.lower(), cell)
            else:
                yield name, cell
        if whole is not None:
            yield "metadata", _merged(whole, metadata)
        elif metadata:
            yield "metadata", metadata


def _text(raw: bytes) -> str:
    try:
        return raw.decode().removesuffix("\r")
    except UnicodeDecodeError:
        raise BadRequest("Invalid CSV: not UTF-8") from None


def _merged(whole: str, single: dict[str, str]) -> object:
    """The metadata cell, as it is spelled, with the single members; its mere text where it is no object: that is refused later."""
    try:
        members = msgspec.json.decode(whole, type=dict[str, Raw])
    except (msgspec.MsgspecError, RecursionError):
        return whole
    return {**members, **single} if single else Raw(whole.encode())


def _known(name: str) -> bool:
    return name in NewRecord.__struct_fields__ or (name.startswith(_PREFIX) and name != _PREFIX)
