"""A clock that goes forward by being waited for."""

from hub.pull.http import Outgoing


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


def outgoing(clock: Clock, *, allow_private: bool = True, attempts: int = 8, timeout_seconds: float = 20) -> Outgoing:
    """Out to the servers of the tests, which are on this machine, and without waiting in earnest."""
    return Outgoing(
        allow_private=allow_private,
        attempts=attempts,
        timeout_seconds=timeout_seconds,
        now=clock.now,
        sleep=clock.sleep,
    )
