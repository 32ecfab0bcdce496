"""Secrets: the gateway's key, how tokens are hashed and sealed, and how stations' passwords are kept."""

import base64
import errno
import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from gateway.settings import BEARER_TOKEN, Settings


class WrongKey(Exception):
    """GATEWAY_SECRET_KEY is not the key with which this database's tokens were sealed."""


class Secrets:
    """What only this gateway can compute: three keys derived from one."""

    def __init__(self, key: bytes) -> None:
        self._tokens = _derived(key, b"token hashes")
        self._aliases = _derived(key, b"token aliases")
        self._seal = Fernet(base64.urlsafe_b64encode(_derived(key, b"sealed tokens")))
        #: A partner's token is the same for each of its results.
        self.open = lru_cache(maxsize=1024)(self._open)

    def token_hash(self, token: str) -> str:
        """How a partner's token is looked up: the token itself is not kept."""
        return hmac.new(self._tokens, token.encode(), hashlib.sha256).hexdigest()

    def alias(self, owner: str, uid: str, attempt: int = 0) -> str:
        """Twenty upper-case hexadecimal digits that stand for ``owner``'s ``uid`` at every station."""
        text = f"{owner}|{uid}" + (f"|{attempt}" if attempt else "")
        return hmac.new(self._aliases, text.encode(), hashlib.sha256).hexdigest()[:20].upper()

    def seal(self, text: str) -> str:
        return self._seal.encrypt(text.encode()).decode()

    def _open(self, sealed: str) -> str:
        try:
            return self._seal.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise WrongKey(WrongKey.__doc__) from None


def open_secrets(settings: Settings) -> Secrets:
    """The secrets of this installation; the key is made on the first call if the settings give none."""
    if settings.secret_key is not None:
        return Secrets(settings.secret_key.get_secret_value().encode())
    return Secrets(kept_secret(settings.data_dir / "secret-key").encode())


def operator_token(settings: Settings) -> str:
    """What opens the operator API; made on the first call if the settings give none."""
    if settings.operator_token is not None:
        return settings.operator_token.get_secret_value()
    path = settings.data_dir / "operator-token"
    token = kept_secret(path)
    if not BEARER_TOKEN.fullmatch(token):
        raise OSError(errno.EINVAL, "There is no token of 16 or more characters in it", str(path))
    return token


def kept_secret(path: Path) -> str:
    """The secret in ``path``; a new one is written there, readable by its owner alone, if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())  # what is sealed with it is kept for years
        try:
            os.link(fresh, path)  # whole or not at all, and the first of two processes wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    secret = path.read_text().strip()
    if not secret:
        raise OSError(errno.ENODATA, "There is no secret in it", str(path))
    return secret


def password_hash(password: bytes) -> str:
    """Salted; stations' passwords are long random keys (16 to 40 bytes), so one round is enough."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.blake2b(password, salt=salt).hexdigest()}"


def password_fits(password: bytes, kept: str) -> bool:
    salt, _, digest = kept.partition("$")
    return hmac.compare_digest(hashlib.blake2b(password, salt=bytes.fromhex(salt)).hexdigest(), digest)


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.new(key, purpose, hashlib.sha256).digest()
