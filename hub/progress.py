"""How far a long command is: a bar at a terminal, a line now and then anywhere else."""

import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_SECONDS = 5.0


class Meter:
    """Counts what is done. `total` is of the same kind as what `advance` is told to have reached: bytes, or things."""

    def __init__(self, stream: TextIO, noun: str, total: int | None) -> None:
        self._stream = stream
        self._noun = noun
        self._total = total
        self._started = self._said = time.monotonic()
        self._first = 0
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._bar = Progress(
                TextColumn("{task.fields[state]}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(),
                console=Console(file=self._stream), transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=self._total, state=self._noun)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, number: int) -> None:
        """What was done before does not count for the rate."""
        self._first = number

    def expect(self, total: int | None) -> None:
        """As many are to be done as it turned out meanwhile."""
        self._total = total
        if self._bar is not None:
            self._bar.update(self._task, total=total)

    def advance(self, number: int, reached: int) -> None:
        """`number` things are done, and `reached` of the total."""
        now = time.monotonic()
        rate = (number - self._first) / max(now - self._started, 0.001)
        state = f"{number:,} {self._noun}, {rate:,.0f}/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=reached, state=state)
        elif now - self._said >= LINE_SECONDS:
            self._said = now
            if self._total and reached:
                left = (now - self._started) / reached * max(self._total - reached, 0)
                state += f", {reached / self._total:.0%}, about {left:,.0f} s left"
            self._stream.write(f"{state}\n")
            self._stream.flush()
