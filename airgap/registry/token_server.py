"""The requests around a login: to token servers, and the ping that says how to be asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

from airgap.errors import RegistryFault
from airgap.registry.authorizer import basic
from airgap.registry.endpoints import Endpoint
from airgap.registry.failures import ExchangeFailed, Failure, FailureKind
from airgap.registry.rate_limits import asks_to_wait
from airgap.registry.settings import HostSettings
from airgap.registry.token_flow import MAX_TOKEN_BODY, TokenReply, TokenRequest
from airgap.registry.transport import Transport, read_bounded


class TokenServerConnection:
    """Asks once; the request that needed the token is what is tried again."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: HostSettings,
        transport: Transport,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._transport = transport
        self._tls = tls

    async def ask(self, request: TokenRequest) -> TokenReply:
        """Make one request; redirects are not followed, as credentials may not travel on.

        Raises:
            ExchangeFailed: no answer came.
            RegistryFault: the answer has more than 64 KiB.
        """
        timeouts = self._settings.timeouts
        headers = {"Accept": "application/json"}
        if request.login is not None:
            headers["Authorization"] = basic(request.login)
        body: bytes | None = None
        if request.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(request.form).encode()
        try:
            async with asyncio.timeout(timeouts.small):
                response = await self._transport.send(
                    request.method,
                    request.url,
                    headers=headers,
                    tls=self._tls,
                    connect_timeout=timeouts.connect,
                    read_timeout=timeouts.stall,
                    body=body,
                )
                try:
                    raw = await read_bounded(response, MAX_TOKEN_BODY, timeouts.stall)
                finally:
                    response.close()
        except TimeoutError:
            detail = f"its token server gave no answer within {timeouts.small:g} s"
            raise ExchangeFailed(Failure(FailureKind.STALLED, detail)) from None
        except ExchangeFailed as error:
            detail = f"its token server {request.url.host}: {error.failure.detail}"
            raise ExchangeFailed(replace(error.failure, detail=detail)) from error
        if raw is None:
            raise RegistryFault(
                self._endpoint.name, f"its token server answers over {MAX_TOKEN_BODY} bytes"
            )
        return TokenReply(response.status, raw, asks_to_wait(response.headers))

    async def ping(self, tls: ssl.SSLContext | None) -> Sequence[str]:
        """Return the challenges that the registry's root answers with.

        Raises:
            ExchangeFailed: no answer came.
        """
        timeouts = self._settings.timeouts
        response = await self._transport.send(
            "GET",
            self._endpoint.root(),
            headers={},
            tls=tls,
            connect_timeout=timeouts.connect,
            read_timeout=timeouts.stall,
        )
        response.close()
        return response.headers.getall("WWW-Authenticate", ())
