"""The partner's words: OCPI 2.2 and 2.2.1 as pydantic models, with no I/O."""
