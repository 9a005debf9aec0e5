"""Who may use the service: API keys, and the number of requests of each client."""

import hmac
from collections.abc import Collection

from fastapi import Request

from seq2seq.serving.checks import RateLimit
from seq2seq.serving.refusals import OPENAI, Refusal

BEARER = "Bearer "


class Gate:
    """Checks keys and counts requests.

    Args:
        keys: any of them opens the gate; none: it is open.
        rate: of each client; a client is a key, or, without a valid key in its header, an address.

    """

    def __init__(self, keys: Collection[str], rate: RateLimit) -> None:
        self.keys = [key.encode() for key in keys]
        self.rate = rate

    async def count(self, request: Request) -> None:
        """Counts a request; raises Refusal for one too many."""
        address = request.client.host if request.client else ""
        key = bearer(request)
        self.rate.check(f"key {key}" if self.fits(key) else f"address {address}")

    def check(self, request: Request, given: str | None = None) -> None:
        """Raises Refusal unless the header, or the field `api_key`, has a valid key."""
        if not self.keys or self.fits(bearer(request)) or self.fits(given or ""):
            return
        status = 401 if request.url.path.startswith(OPENAI) else 403
        raise Refusal(
            status,
            "expected a valid API key, got none or another one; give it as `Authorization: Bearer KEY`"
            + ("" if status == 401 else " or in the field api_key"),
            code="invalid_api_key",
        )

    async def check_header(self, request: Request) -> None:
        """Raises Refusal unless the header has a valid key."""
        self.check(request)

    def fits(self, key: str) -> bool:
        """Returns whether a key is valid; the time that this takes does not depend on which characters are right."""
        return sum(hmac.compare_digest(key.encode("utf-8", "replace"), valid) for valid in self.keys) > 0


def bearer(request: Request) -> str:
    """Returns the key in the header; an empty string: there is none."""
    header = request.headers.get("authorization", "")
    return header[len(BEARER) :].strip() if header[: len(BEARER)].lower() == BEARER.lower() else ""
