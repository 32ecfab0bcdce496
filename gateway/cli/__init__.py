"""The operators' commands of `ocpi-gateway`: one file a noun."""
