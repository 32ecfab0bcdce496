"""``python -m workers``: the same as ``ocpi-gateway``."""

from workers.main import main

main()
