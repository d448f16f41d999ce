"""Sample properties for `make run`, so that a search finds some."""

from common.config import Secret
from common.db.demo_data import adding_demo_data

PROPERTIES = [
    ("lake-villa", "Spacious one-bedroom villa above the lake", 0, None, None),
    ("old-town-studio", "Studio in the old town, three floors up, no lift", 0, None, None),
    ("ski-condo", "Ski in, ski out: two-bedroom condo with a fireplace", 1, None, None),
    ("garden-house", "Three-bedroom house with a cook's kitchen and a garden", 2, None, None),
    ("hotel-1-suite", "The corner suite of hotel 1", 0, 1, "9001"),
    ("hotel-2-loft", "The loft of hotel 2, over the roofs", 0, 2, "9001"),
]
"""Id, description, turnover days, hotel, room. The simulated hotels do not sell these rooms."""


async def add_demo_properties(url: Secret) -> None:
    """Create the sample properties unless there are properties already."""
    async with adding_demo_data(url, "provider-demo") as connection:
        if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM property)"):
            await connection.executemany("SELECT create_property($1, $2, $3::smallint, $4, $5, NULL)", PROPERTIES)
