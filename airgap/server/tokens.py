"""Bearer tokens, for clients that must be told at the door whether to sign in.

Docker asks ``/v2/`` once and takes its answer for every request after it. With anonymous pulls and
signed-in pushes neither "come in" nor "a password, please" would be right; a token is: nobody gets
one for nobody, and a user gets one for himself. It says who asks, not what he may do: the policy is
asked on every request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

TOKEN_SECONDS = 3600
"""Life of a token; long, since it grants nothing that the policy does not grant anyway."""

_TAG_BYTES = 32


class InvalidTokenError(ValueError):
    """The token is not one of ours, or its time is over."""


class Tokens:
    """Signs and reads tokens with a key that lives as long as the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def issue(self, user: str | None, now: float) -> str:
        """Return a token for a user, or for nobody in particular.

        Args:
            user: the name that was proven with a password; None for an anonymous token.
            now: seconds since the epoch.
        """
        claim = f"{int(now) + TOKEN_SECONDS}:{user or ''}".encode()
        return base64.urlsafe_b64encode(self._tag(claim) + claim).decode("ascii")

    def read(self, token: str, now: float) -> str | None:
        """Return whom a token was issued to; None for an anonymous one.

        Raises:
            InvalidTokenError: it was not issued by this process, or has expired.
        """
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise InvalidTokenError from None
        tag, claim = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(claim)):
            raise InvalidTokenError
        expiry, _, user = claim.decode().partition(":")
        if int(expiry) <= now:
            raise InvalidTokenError
        return user or None

    def _tag(self, claim: bytes) -> bytes:
        return hmac.digest(self._key, claim, hashlib.sha256)
