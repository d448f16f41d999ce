"""The external offers service: the only place that knows its HTTP."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import aiohttp
import asyncpg
import msgspec

from common.upstream import CircuitBreaker, CircuitOpenError, Upstream, UpstreamError, read_body
from common.web.input_types import WITHOUT_NUL
from dashboard.catalog.offers_token import LONGEST_PAUSE_SECONDS, TokenKeeper

TOKEN_HEADER = "Bearer"  # noqa: S105 - the header is named so; it is not Authorization
TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5, sock_read=10)
LARGEST_ANSWER = 4 * 1024 * 1024

FAILURES_IN_A_ROW = 20
OPEN_SECONDS = 10.0

LARGEST = 2**63 - 1
Whole = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Id = (
    Annotated[int, msgspec.Meta(ge=-LARGEST - 1, le=LARGEST)]
    | Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=WITHOUT_NUL)]
)
TokenText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[!-~]+$")]


class SeenOffer(msgspec.Struct, frozen=True, gc=False):
    """An offer in an answer of the service. Whatever is no whole number of minor units breaks the answer."""

    id: Id
    price: Whole
    items_in_stock: Whole


class GivenToken(msgspec.Struct, frozen=True):
    access_token: TokenText


class NotRegisteredError(UpstreamError):
    """The service does not know the product, or not with our token."""


_offers = msgspec.json.Decoder(list[SeenOffer])
_token = msgspec.json.Decoder(GivenToken)
T = TypeVar("T")


class OffersService:
    """Calls of the service, each with the token that all replicas share.

    Every method raises UpstreamError for whatever goes wrong, CircuitOpenError and NoTokenError where no call was made.
    """

    def __init__(self, client: aiohttp.ClientSession, base_url: str, db: asyncpg.Pool) -> None:
        self.breaker = CircuitBreaker(FAILURES_IN_A_ROW, OPEN_SECONDS)
        self.upstream = Upstream(client, "offers", base_url, timeout=TIMEOUT, breaker=self.breaker)
        self.keeper = TokenKeeper(db, base_url, self._ask_for_token)
        self._paused_until = 0.0

    def check(self) -> None:
        """Raises CircuitOpenError while the service, failing, asked not to be called."""
        left = self._paused_until - time.monotonic()
        if left > 0:
            raise CircuitOpenError("not called: it asked to wait", retry_after=left)

    async def register(self, product_id: UUID, name: str, description: str) -> None:
        """Make the product known to the service. One that it knows already (409) counts as registered."""
        product = {"id": str(product_id), "name": name, "description": description}

        async def call(token: str) -> None:
            async with self.upstream.call(
                "POST",
                "/products/register",
                json=product,
                headers={TOKEN_HEADER: token},
                accept=frozenset({200, 201, 409}),
            ) as response:
                await read_body(response, LARGEST_ANSWER)

        await self._with_token(call)

    async def register_within(self, seconds: float, product_id: UUID, name: str, description: str) -> None:
        """`register`, for a caller that does not wait longer. Too late counts as a failure of the service."""
        try:
            async with asyncio.timeout(seconds):
                await self.register(product_id, name, description)
        except TimeoutError as error:
            self.breaker.failed()
            raise UpstreamError(f"no answer within {seconds:g} s") from error

    async def offers(self, product_id: UUID) -> list[SeenOffer]:
        """The offers of a registered product. Raises NotRegisteredError for 404."""

        async def call(token: str) -> bytes:
            async with self.upstream.call(
                "GET", f"/products/{product_id}/offers", headers={TOKEN_HEADER: token}, accept=frozenset({200})
            ) as response:
                return await read_body(response, LARGEST_ANSWER)

        try:
            answer = await self._with_token(call)
        except UpstreamError as error:
            if error.status == 404:
                raise NotRegisteredError(str(error), status=404) from error
            raise
        try:
            return _offers.decode(answer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamError(f"offers of {product_id}: {error}", status=200) from error

    async def _with_token(self, call: Callable[[str], Awaitable[T]]) -> T:
        """Make the call; where the token is refused once more with another token, and never a third time."""
        self.check()
        token = await self.keeper.token()
        try:
            try:
                answer = await call(token)
            except UpstreamError as error:
                if error.status != 401:
                    raise
                token = await self.keeper.after_refusal(token)
                answer = await call(token)
        except UpstreamError as error:
            if error.status is not None and error.retry_after is not None and not self.breaker.closed:
                self._paused_until = time.monotonic() + min(error.retry_after, LONGEST_PAUSE_SECONDS)
            raise
        await self.keeper.worked(token)
        return answer

    async def _ask_for_token(self) -> str:
        async with self.upstream.call("POST", "/auth", accept=frozenset({200, 201})) as response:
            answer = await read_body(response, LARGEST_ANSWER)
        try:
            return _token.decode(answer).access_token
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamError(f"the token's answer: {error}", status=response.status) from error
