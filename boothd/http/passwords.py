"""Operators' passwords: argon2id, as OWASP advises. Both functions block for about 30 ms; call them in a thread."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 << 10, parallelism=1)
MAX_PASSWORD = 1024  # characters

NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$eXPxUroogkcg+sqe5V6mIA$4rLKddW9/UU2gZJrytKa7L4u2C+dbTulgzd4FVZ2Nbc"
"""A hash that no known password has: checking it takes an unknown name as long as a known one."""


def hash_password(password: str) -> str:
    """The hash to write into `etc/secrets.yaml`. Raises ValueError for an empty or an endless password."""
    if not 0 < len(password) <= MAX_PASSWORD:
        raise ValueError(f"a password has 1 to {MAX_PASSWORD} characters")
    return _HASHER.hash(password)


def verify_password(hashed: str, password: str) -> bool:
    """Whether `password` has that hash. A hash that is none is nobody's."""
    try:
        return len(password) <= MAX_PASSWORD and _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
