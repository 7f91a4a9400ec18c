"""Rows of CSV, as Postgres writes them, to Parquet. Needs the extra `parquet`."""

from collections.abc import Sequence
from io import BytesIO
from types import ModuleType
from typing import Any

# As long as the rows of one group are gathered they are in memory: more make a smaller file, fewer a smaller process.
GROUP_BYTES = 4 * 1024 * 1024

_TIMES = {"collected_at", "created_at", "updated_at", "value_date"}
_NUMBERS = {"value_number", "sentiment_score"}


class MissingError(Exception):
    """pyarrow is not installed."""


class _Sink:
    """What was written and not yet taken. A Parquet file is written from its beginning to its end."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._position = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


class Writer:
    """Turns rows into a file piece by piece. Its methods take their time, and may run in another thread."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Raises `MissingError` without the extra."""
        arrow = _arrow()
        self._columns = list(columns)
        self._types = {name: _type(arrow, name) for name in columns}
        self._sink = _Sink()
        self._file = arrow.parquet.ParquetWriter(
            arrow.PythonFile(self._sink, mode="w"), arrow.schema(list(self._types.items())), compression="zstd"
        )
        self._csv = arrow.csv

    def write(self, rows: bytes) -> bytes:
        """A group of whole rows; what there is of the file since the last call."""
        csv = self._csv
        table = csv.read_csv(
            BytesIO(rows),
            read_options=csv.ReadOptions(column_names=self._columns, block_size=len(rows)),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            # Postgres quotes an empty text, and nothing else that is empty.
            convert_options=csv.ConvertOptions(
                column_types=self._types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )
        self._file.write_table(table)
        return self._sink.take()

    def finish(self) -> bytes:
        """The end of the file."""
        self._file.close()
        return self._sink.take()


def _arrow() -> ModuleType:
    try:
        import pyarrow as arrow  # noqa: ICN001, PLC0415 - an extra
        import pyarrow.csv  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError:
        raise MissingError from None
    module: ModuleType = arrow
    return module


def _type(arrow: ModuleType, name: str) -> Any:
    if name in _TIMES:
        return arrow.timestamp("us", tz="UTC")
    if name in _NUMBERS:
        return arrow.float64()
    return arrow.bool_() if name == "value_boolean" else arrow.string()
