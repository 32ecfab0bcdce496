"""The rules: pure, with no HTTP, no OCPP frames and no database."""
