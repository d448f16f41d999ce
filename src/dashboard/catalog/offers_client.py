"""HTTP client of the external offers service."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import aiohttp
import asyncpg
import msgspec

from common.config import Secret
from common.limits import MAX_PRICE
from common.upstream import CircuitBreaker, CircuitOpenError, Upstream, UpstreamError, read_body
from common.web.input_types import WITHOUT_NUL
from dashboard.catalog.offers_errors import ANY_STATUS, require_accepted
from dashboard.catalog.offers_token import MAX_PAUSE_SECONDS, SharedToken

TOKEN_HEADER = "Bearer"  # noqa: S105 - the name of the header that the service expects, not Authorization
TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5, sock_read=10)
MAX_RESPONSE_BYTES = 4 * 1024 * 1024

TOKEN_STATUSES = frozenset({200, 201})
REGISTERED_STATUSES = frozenset({200, 201, 409})
"""409: the product is registered already."""
OFFERS_STATUSES = frozenset({200})

FAILURES_IN_A_ROW = 20
OPEN_SECONDS = 10.0

MAX_BIGINT = 2**63 - 1
NonNegativeInteger = Annotated[int, msgspec.Meta(ge=0, le=MAX_BIGINT)]
Price = Annotated[int, msgspec.Meta(ge=0, le=MAX_PRICE)]
ReceivedOfferId = (
    Annotated[int, msgspec.Meta(ge=-MAX_BIGINT - 1, le=MAX_BIGINT)]
    | Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=WITHOUT_NUL)]
)
TokenText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[!-~]+$")]


class ReceivedOffer(msgspec.Struct, frozen=True, gc=False):
    """An offer in a response, with its price in minor units. One invalid offer invalidates the whole response."""

    id: ReceivedOfferId
    price: Price
    items_in_stock: NonNegativeInteger


class ReceivedToken(msgspec.Struct, frozen=True):
    access_token: TokenText


class NoServiceError(UpstreamError):
    """There is no offers service, so no call was made."""

    def __init__(self) -> None:
        super().__init__("not called: there is no offers service (DASHBOARD_OFFERS_URL is none)")


class NotRegisteredError(UpstreamError):
    """The product is not registered with the service, or was registered with another token."""


_offers_decoder = msgspec.json.Decoder(list[ReceivedOffer])
_token_decoder = msgspec.json.Decoder(ReceivedToken)
Result = TypeVar("Result")


def service_of(base_url: str, refresh_token: Secret | None) -> str:
    """What identifies the service, and whose products it has: its address, and a digest of the refresh token."""
    if refresh_token is None:
        return base_url
    return f"{base_url} {hashlib.sha256(refresh_token.reveal().encode()).hexdigest()[:12]}"


class OffersClient:
    """Calls the service with the access token that all replicas share.

    base_url: None if there is no service; every call then raises NoServiceError. refresh_token: the token in exchange
    for which the service issues access tokens; None for the old service, which issues them to everybody. Every method
    raises UpstreamError on failure, with the message of the service; its subclasses CircuitOpenError, NoTokenError and
    NoServiceError mean that no call was made.
    """

    def __init__(
        self, client: aiohttp.ClientSession, base_url: str | None, db: asyncpg.Pool, refresh_token: Secret | None = None
    ) -> None:
        self.breaker = CircuitBreaker(FAILURES_IN_A_ROW, OPEN_SECONDS)
        self.upstream = Upstream(client, "offers", base_url or "", timeout=TIMEOUT, breaker=self.breaker)
        self.shared_token = SharedToken(db, service_of(base_url or "", refresh_token), self._request_token)
        self._has_service = base_url is not None
        self._refresh_token = refresh_token
        self._paused_until = 0.0
        self._pause_reason = ""

    def require_callable(self) -> None:
        """Raises NoServiceError, or CircuitOpenError while the service has asked us to wait after a failure."""
        if not self._has_service:
            raise NoServiceError
        left = self._paused_until - time.monotonic()
        if left > 0:
            raise CircuitOpenError(f"not called: the service asked us to wait: {self._pause_reason}", retry_after=left)

    async def register(self, product_id: UUID, name: str, description: str) -> None:
        """Register a product with the service. 409 means that it is registered already."""
        await self._with_token(self._registration(product_id, name, description))

    async def register_within(self, seconds: float, product_id: UUID, name: str, description: str) -> None:
        """`register` with a time limit; exceeding it during the call counts as a failure of the service."""
        registration = self._registration(product_id, name, description)
        calling = False

        async def call(token: str) -> None:
            nonlocal calling
            calling = True
            try:
                await registration(token)
            except UpstreamError:
                calling = False  # the service has answered or failed; another token is searched for after a 401
                raise
            calling = False

        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                await self._with_token(call)
        except TimeoutError as error:
            if not limit.expired():
                raise  # a time-out of our database
            if not calling:
                raise UpstreamError(f"not called within {seconds:g} s") from error
            reason = f"no response within {seconds:g} s"
            self.breaker.failed(reason)
            raise UpstreamError(reason) from error

    def _registration(self, product_id: UUID, name: str, description: str) -> Callable[[str], Awaitable[None]]:
        """The call that registers a product, which takes a token."""
        product = {"id": str(product_id), "name": name, "description": description}

        async def call(token: str) -> None:
            headers = {TOKEN_HEADER: token}
            async with self.upstream.call(
                "POST", "/products/register", json=product, headers=headers, accept=ANY_STATUS
            ) as response:
                await require_accepted(response, REGISTERED_STATUSES, token)
                await read_body(response, MAX_RESPONSE_BYTES)

        return call

    async def offers(self, product_id: UUID) -> list[ReceivedOffer]:
        """The offers of a registered product. Raises NotRegisteredError for 404."""

        async def call(token: str) -> bytes:
            headers = {TOKEN_HEADER: token}
            async with self.upstream.call(
                "GET", f"/products/{product_id}/offers", headers=headers, accept=ANY_STATUS
            ) as response:
                await require_accepted(response, OFFERS_STATUSES, token)
                return await read_body(response, MAX_RESPONSE_BYTES)

        try:
            body = await self._with_token(call)
        except UpstreamError as error:
            if error.status == 404:
                raise NotRegisteredError(str(error), status=404) from error
            raise
        try:
            return _offers_decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamError(f"offers of {product_id}: {error}", status=200) from error

    async def _with_token(self, call: Callable[[str], Awaitable[Result]]) -> Result:
        """Make the call; after a 401, make it once more with another token."""
        self.require_callable()
        token = await self.shared_token.get()
        try:
            try:
                result = await call(token)
            except UpstreamError as error:
                if error.status != 401:
                    raise
                token = await self.shared_token.get_after_rejection(token)
                result = await call(token)
        except UpstreamError as error:
            if error.status is not None and error.retry_after is not None and not self.breaker.closed:
                self._paused_until = time.monotonic() + min(error.retry_after, MAX_PAUSE_SECONDS)
                self._pause_reason = str(error)
            raise
        await self.shared_token.note_accepted(token)
        return result

    async def _request_token(self) -> str:
        refresh_token = self._refresh_token.reveal() if self._refresh_token is not None else ""
        headers = {TOKEN_HEADER: refresh_token} if refresh_token else {}
        async with self.upstream.call("POST", "/auth", headers=headers, accept=ANY_STATUS) as response:
            await require_accepted(response, TOKEN_STATUSES, refresh_token)
            body = await read_body(response, MAX_RESPONSE_BYTES)
        try:
            return _token_decoder.decode(body).access_token
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamError(f"response to the token request: {error}", status=response.status) from error
