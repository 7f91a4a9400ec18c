"""A browser's session: the key itself, sealed, in a cookie that no script can read. The hub keeps nothing.

The key is asked about at each request as if it came in a header, so revoking it ends the session.
"""

import base64
import hmac

from cryptography.fernet import Fernet, InvalidToken

DAYS = 7

_COOKIE = "hub_session"
_SECONDS = DAYS * 24 * 3600
# Strict: no other site can make a browser ask anything in our name, reading included.
_ATTRIBUTES = "HttpOnly; SameSite=Strict"


class Sessions:
    """Seals keys into cookies and opens them again."""

    def __init__(self, secret_key: str, *, secure: bool) -> None:
        # A key of its own, derived: what is sealed for one purpose must not open for another.
        derived = hmac.digest(base64.urlsafe_b64decode(secret_key), b"session of a browser", "sha256")
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))
        self._attributes = f"{_ATTRIBUTES}; Secure" if secure else _ATTRIBUTES

    def begin(self, key: str) -> str:
        """The `Set-Cookie` header. Without a path it is valid where the hub is, also behind a prefix."""
        sealed = self._fernet.encrypt(key.encode(errors="surrogateescape")).decode()
        return f"{_COOKIE}={sealed}; Max-Age={_SECONDS}; {self._attributes}"

    def end(self) -> str:
        """The `Set-Cookie` header that forgets."""
        return f"{_COOKIE}=; Max-Age=0; {self._attributes}"

    def key(self, cookies: str) -> str | None:
        """The key in a `Cookie` header, unless there is none, or it is too old, or not ours."""
        # By hand: the standard library gives up on all of them when another one is odd.
        named = (part.strip().partition("=") for part in cookies.split(";"))
        sealed = next((value for name, _, value in named if name == _COOKIE), "")
        try:
            return self._fernet.decrypt(sealed, ttl=_SECONDS).decode(errors="surrogateescape")
        except (InvalidToken, ValueError):
            return None
