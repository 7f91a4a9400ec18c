"""Questions to the database that are asked at the same time."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import gather as together  # with its types, which cannot be written down another time
else:

    async def together(*work: Awaitable[object]) -> list[object]:
        """As `gather`, but when one fails none goes on behind it: the answer has left, and nobody waits for the others."""
        tasks = [asyncio.ensure_future(each) for each in work]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise


__all__ = ["together"]
