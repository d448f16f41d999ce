"""Who sends a request of the storefront: a guest or a holder of properties, by a token, or the administrator."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Unpack
from uuid import UUID

from quart import Blueprint, g
from quart_schema import security_scheme_blueprint, tag_blueprint

from common.web.bearer import bearer_token, count_wrong_token, holder_digest, invalid_token
from common.web.errors import Forbidden
from common.web.openapi.document import Operation, View, operation
from provider.hotel_rooms import UUID_PATTERN
from provider.resources import resources
from provider.stays.inputs.fields import EXAMPLE_PROPERTY_ID
from provider.stays.models.clock import Clock

SECURITY = "stays_token"
ADMIN = "stays administrator"
ADMIN_SECURITY = "staysAdminToken"

PROPERTY_PATH_EXAMPLE = {"property_id": EXAMPLE_PROPERTY_ID}
OWN_PROPERTY_PATH_EXAMPLE = {"property_id": "my-cabin"}
"""The property that the example of `POST /properties` creates, so that the caller may change it."""
FORBIDDEN = {403: "The property was created with another token (`not_holder`)"}


def holder_of(token: str) -> UUID:
    """The digest under which a guest's token stands in the database. Raises Unauthorized for other than a UUID."""
    if not UUID_PATTERN.fullmatch(token):
        raise invalid_token("stays", "The bearer token is not a UUID.")
    return holder_digest(UUID(token).bytes)


async def visible_holder() -> UUID | None:
    """The holder whose properties and reservations the caller may see and change; None: all.

    Raises Unauthorized, or TooManyRequests after several wrong tokens.
    """
    token = bearer_token("stays")
    admin = resources().config.stays_admin_token
    if admin is not None and admin.accepts(token):
        return None
    if admin is not None and not UUID_PATTERN.fullmatch(token):
        await count_wrong_token(ADMIN)
    return holder_of(token)


async def identify_holder() -> None:
    """Require a token of the storefront, before each request. Raises Unauthorized or TooManyRequests.

    g.holder: as `visible_holder`. g.maker: the holder of what the caller makes; that of the administrator, who sees
    everything, is a digest of that token.
    """
    g.holder = await visible_holder()
    g.maker = g.holder or holder_digest(bearer_token("stays").encode("utf-8", "surrogatepass"))


def require_token(blueprint: Blueprint) -> None:
    """Require a token of the storefront for all routes of a blueprint, as `identify_holder` does."""
    tag_blueprint(blueprint, ["stays"])
    security_scheme_blueprint(blueprint, [{SECURITY: []}, {ADMIN_SECURITY: []}])
    blueprint.before_request(identify_holder)


def holder_operation(*problems: int, **described: Unpack[Operation]) -> Callable[[View], View]:
    """Describe an operation on a property that only its holder and the administrator may do."""
    described["descriptions"] = {**FORBIDDEN, **described.get("descriptions", {})}
    described.setdefault("path_examples", OWN_PROPERTY_PATH_EXAMPLE)
    return operation(401, 403, 429, *problems, **described)


async def require_administrator() -> None:
    """Require the administrator's token, before each request. Raises Unauthorized, TooManyRequests or Forbidden."""
    if await visible_holder() is not None:
        raise Forbidden(
            "Only the administrator of stays sees this (PROVIDER_STAYS_ADMIN_TOKEN).", code="not_administrator"
        )


def clock_at(now: datetime) -> Clock:
    """The clock of properties at a time."""
    config = resources().config
    return Clock(now, config.timezone, past=config.past_stays == "allow")


def current_clock() -> Clock:
    return clock_at(datetime.now(UTC))
