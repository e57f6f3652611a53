"""Who is let in at the scripted registry: Basic, or a token server with all its variants."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tests.support.registry_faults import Reply


@dataclass
class BasicGate:
    """Asks for a name and a password."""

    user: str
    password: str

    def refusal(self, authorization: str | None, needed: str, realm: str) -> Reply | None:
        """Return the refusal of a request, or None where it may pass."""
        del needed, realm
        if authorization == _basic(self.user, self.password):
            return None
        return Reply(401, {"WWW-Authenticate": 'Basic realm="airgap \\"tests\\""'}, _denied())

    def token(self, method: str, query: str, form: bytes, authorization: str | None) -> Reply:
        """Answer as a server that hands out no tokens."""
        del method, query, form, authorization
        return Reply(404)


@dataclass
class TokenGate:
    """A token server and the registry that believes it.

    Attributes:
        users: passwords by name; anonymous clients get tokens too, for what ``public`` grants.
        refresh_tokens: identity tokens that stand for a user.
        public: actions that everybody has.
        get: whether tokens are to be had by GET; else it answers 405.
        post: whether they are to be had by POST; else it answers 404.
        key: where the token stands: ``token`` or ``access_token``.
        life: seconds that are announced; None announces nothing.
        silent: whether the registry's refusals, but for those of its root, say nothing at all.
        forbidden: repositories (``repository:NAME``) that nobody gets a right to.
        realm: the URL of the token server, where it is not this very server.
        requests: every request for a token: method, and its fields.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    refresh_tokens: Mapping[str, str] = field(default_factory=dict)
    public: frozenset[str] = frozenset({"pull"})
    get: bool = True
    post: bool = True
    key: str = "token"
    life: int | None = 300
    silent: bool = False
    forbidden: frozenset[str] = frozenset()
    realm: str | None = None
    requests: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    granted: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def refusal(self, authorization: str | None, needed: str, realm: str) -> Reply | None:
        """Return the refusal of a request, or None where its token grants what it needs."""
        held = self.granted.get((authorization or "").removeprefix("Bearer "))
        wanted = _actions(needed)
        if held is not None and wanted <= held:
            return None
        parameters = [f'realm="{self.realm or realm}"', 'service="scripted, with a comma"']
        if needed:
            parameters.append(f'scope="{needed}"')
        if held is not None:
            parameters.append('error="insufficient_scope"')
        challenge = "Negotiate, BEARER " + ",".join(parameters)
        silent = self.silent and bool(needed)
        return Reply(401, {} if silent else {"WWW-Authenticate": challenge}, _denied())

    def token(self, method: str, query: str, form: bytes, authorization: str | None) -> Reply:
        """Answer a request for a token."""
        fields: dict[str, list[str]] = {}
        for key, value in parse_qsl(query if method == "GET" else form.decode()):
            fields.setdefault(key, []).append(value)
        self.requests.append((method, fields))
        if method == "GET" and not self.get:
            return Reply(405)
        if method == "POST" and not self.post:
            return Reply(404)
        try:
            user = self._user(method, fields, authorization)
        except PermissionError:
            return Reply(401, {}, b'{"details":"incorrect username or password"}')
        scopes = [one for text in fields.get("scope", []) for one in text.split()]
        allowed = {
            (name, action)
            for scope in scopes
            for name, action in _actions(scope)
            if (user is not None or action in self.public) and name not in self.forbidden
        }
        value = f"scripted-token-{next(self._numbers)}"
        self.granted[value] = allowed
        answer: dict[str, object] = {self.key: value}
        if self.life is not None:
            answer["expires_in"] = self.life
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def revoke(self) -> None:
        """Let no token be good any more."""
        self.granted.clear()

    def _user(
        self, method: str, fields: Mapping[str, list[str]], authorization: str | None
    ) -> str | None:
        if method == "GET":
            if authorization is None:
                return None
            for user, password in self.users.items():
                if authorization == _basic(user, password):
                    return user
            raise PermissionError
        if fields.get("grant_type") == ["refresh_token"]:
            token = fields["refresh_token"][0]
            if token not in self.refresh_tokens:
                raise PermissionError
            return self.refresh_tokens[token]
        user = fields["username"][0]
        if self.users.get(user) != fields["password"][0]:
            raise PermissionError
        return user


def _actions(scope: str) -> set[tuple[str, str]]:
    if not scope:
        return set()
    name, _, actions = scope.rpartition(":")
    return {(name, action) for action in actions.split(",")}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _denied() -> bytes:
    return b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}'
