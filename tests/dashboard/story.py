"""Which part of the demo the tests and the pictures look at: always the same, whenever they are made."""

UNTIL = "2026-11-20"
PERIOD = "tenant_id=demo&from=2026-08-24&to=2026-11-20"
# The same period as the API names it.
QUERY = "tenant_id=demo&since=2026-08-24T00:00:00Z&until=2026-11-20T23:59:59.999999Z"
