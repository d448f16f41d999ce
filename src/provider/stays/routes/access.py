"""Who sends a request of the storefront: a guest or a holder of properties, by a token, or the administrator."""

from uuid import UUID

from common.web.bearer import bearer_token, count_wrong_token, invalid_token
from provider.hotel_rooms import UUID_PATTERN
from provider.resources import resources
from provider.stays import service

SECURITY = "stays_token"
ADMIN = "stays administrator"
ADMIN_SECURITY = "staysAdminToken"


def holder_of(token: str) -> UUID:
    """The digest under which a guest's token stands in the database. Raises Unauthorized for other than a UUID."""
    if not UUID_PATTERN.fullmatch(token):
        raise invalid_token("stays", "The bearer token is not a UUID.")
    return service.token_digest(UUID(token))


async def visible_holder() -> UUID | None:
    """The holder whose properties the caller may see and change; None: all.

    Raises Unauthorized, or TooManyRequests after several wrong tokens.
    """
    token = bearer_token("stays")
    admin = resources().config.stays_admin_token
    if admin is not None and admin.accepts(token):
        return None
    if admin is not None and not UUID_PATTERN.fullmatch(token):
        await count_wrong_token(ADMIN)
    return holder_of(token)
