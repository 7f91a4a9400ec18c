"""Which tenants there are. No table says so: a tenant exists as soon as something names it."""

from hub.db import Pool, query

_NEXT = query("tenants/next")
_MEMBERS = query("tenants/members")


async def listed(pool: Pool, most: int) -> list[str]:
    """The first tenants that have records, by name."""
    found: list[str] = []
    async with pool.acquire() as connection:
        while len(found) < most:
            name: str | None = await connection.fetchval(_NEXT, found[-1] if found else "")
            if name is None:
                break
            found.append(name)
    return found


async def members(pool: Pool, tenant_id: str) -> list[str]:
    """Members of metadata by which a tenant's records can be grouped, as the latest have them."""
    async with pool.acquire() as connection:
        return [row["name"] for row in await connection.fetch(_MEMBERS, tenant_id)]
