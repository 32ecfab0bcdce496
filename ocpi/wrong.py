"""What is wrong with an object that could not be read, as partners are told it."""

from pydantic import ValidationError


def told(wrong: ValidationError) -> str:
    """Which fields, and what is the matter with them; never their values."""
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in wrong.errors()[:5])
