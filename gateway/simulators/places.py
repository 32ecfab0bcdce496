"""A simulated eMSP's Locations: each as the pushes of it, of its EVSEs and of their Connectors made it."""

from collections.abc import Iterator
from typing import Any

from ocpi.dialect import Dialect
from ocpi.locations import EVSE, Connector, Location
from ocpi.types import Model

#: An OCPI object as it goes into JSON.
Wire = dict[str, Any]

#: By the number of ids in the URL: what is pushed, by what it is named, and where it stands in what is above it.
LEVELS: tuple[tuple[type[Model], str, str], ...] = (
    (Location, "id", ""),
    (EVSE, "uid", "evses"),
    (Connector, "id", "connectors"),
)


class Places:
    """``kept`` by id."""

    def __init__(self) -> None:
        self.kept: dict[str, Wire] = {}

    def find(self, ids: list[str]) -> Wire | None:
        """The object that a URL names."""
        part = self.kept.get(ids[0])
        for id_, (_, name, within) in zip(ids[1:], LEVELS[1:], strict=False):
            part = next((one for one in (part or {}).get(within, []) if one[name] == id_), None)
        return part

    def put(self, ids: list[str], body: Wire) -> None:
        """What is above it is as new as it is (mod_locations §PUT)."""
        *above, last = ids
        if not above:
            self.kept[last] = body
            return
        _, name, within = LEVELS[len(above)]
        parent = self.find(above)
        assert parent is not None
        others = [one for one in parent.get(within, []) if one[name] != last]
        at = next((n for n, one in enumerate(parent.get(within, [])) if one[name] == last), len(others))
        parent[within] = [*others[:at], body, *others[at:]]
        for depth in range(1, len(ids)):
            part = self.find(ids[:depth])
            assert part is not None
            part["last_updated"] = max(part["last_updated"], body["last_updated"])

    def problems(self, ids: list[str], body: Wire, dialect: Dialect) -> Iterator[str]:
        """What is wrong with a whole object, as it is or as a PATCH made it."""
        _, name, _ = LEVELS[len(ids) - 1]
        if body.get(name) != ids[-1]:
            yield f"{name} is {body.get(name)!r}, and {ids[-1]!r} in the URL"
        known = self.find(ids)
        if known is not None and body["last_updated"] < known["last_updated"]:
            yield "last_updated goes backwards"
        if len(ids) == 1 and dialect.render_location(Location.model_validate(body)) != body:
            yield f"it has words that {dialect.version} does not have"
