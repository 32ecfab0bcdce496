"""The demonstration that ``make run`` shows: everything on this machine, and every command on every OCPP version."""
