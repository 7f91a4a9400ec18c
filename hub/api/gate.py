"""What only some requests may do at a time."""

from hub.api.problems import RateLimited


class Gate:
    """So many at a time in one process, so that they leave connections and processor time for everything else."""

    def __init__(self, limit: int, things: str) -> None:
        self._free = limit
        self._things = things

    def __enter__(self) -> None:
        if self._free == 0:
            raise RateLimited(f"Too many {self._things} are running; try again in a moment")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1
