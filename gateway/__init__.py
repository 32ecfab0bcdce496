"""The house: what is known, what is decided, and how partners and operators reach it."""
