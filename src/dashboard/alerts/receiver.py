"""The receiver of the announcements: the program at DASHBOARD_ALERT_WEBHOOK_URL."""

import time
from dataclasses import dataclass

import aiohttp

from common.config import Secret, Secrets
from common.outbox.delivery import UndeliverableError
from common.upstream import Upstream, UpstreamError
from common.web.signature import SIGNATURE_HEADER, sign

NAME = "alert_webhook"
"""Of the receiver in the metrics."""

ACCEPTED_STATUSES = frozenset(range(200, 300))
REFUSAL_STATUSES = frozenset({400, 413, 415, 422})
"""The receiver does not understand this announcement, so a repetition hardly helps.

After any other status it is sent again: time, a corrected secret or a corrected address may help.
"""


@dataclass(frozen=True)
class AlertReceiver:
    """Where announcements are sent, and what signs them. The address may hold a secret, so no error shows it."""

    url: Secret
    secret: Secrets

    async def send(self, client: aiohttp.ClientSession, body: bytes) -> None:
        """Send an announcement, signed anew. Raises UpstreamError, or UndeliverableError when it is refused."""
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign(self.secret.current, body, time.time())}
        try:
            async with Upstream(client, NAME, "").call(
                "POST", self.url.reveal(), data=body, headers=headers, accept=ACCEPTED_STATUSES
            ):
                pass
        except UpstreamError as error:
            if error.status in REFUSAL_STATUSES:
                raise UndeliverableError(f"the receiver answered {error.status}") from None
            reason = _reason(error)
            raise UpstreamError(reason, status=error.status, retry_after=error.retry_after) from None


def _reason(error: UpstreamError) -> str:
    """Why a call failed, without the address."""
    if error.status is not None:
        return f"the receiver answered {error.status}"
    return f"the receiver did not answer: {type(error.__cause__ or error).__name__}"
