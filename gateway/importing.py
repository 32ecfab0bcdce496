"""Importing, the story: a file of Locations, stations, their bindings and Tariffs becomes rows, all of it or none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from sqlalchemy import Connection

from gateway import evses
from gateway.domain.changes import Change, changes
from gateway.domain.imported import OPEN_PROFILE, Binding, Contents, Station, Unimportable
from gateway.domain.merging import merged
from gateway.secrets import password_fits, password_hash
from gateway.store import bindings, inventory, partners, stations, tariffs, topology
from gateway.store.evses import note
from gateway.store.prepared import Row
from ocpi.headers import Party
from ocpi.locations import Location
from ocpi.tariffs import Tariff
from ocpi.types import fold


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What an import brought; and what is amiss in the whole database."""

    locations: int
    evses: int
    connectors: int
    stations: int
    bindings: int
    tariffs: int
    #: EVSEs that are bound to no station.
    unbound_evses: int
    #: Ids that connectors name and that no Tariff of their party has.
    unknown_tariffs: list[str]
    #: What is other than it was.
    changes: list[Change]


#: Where an id of a party was given first.
_Seen = dict[tuple[Party, str], str]


def bring_in(db: Connection, contents: Contents, now: datetime, *, replace: bool = False) -> Counts:
    """Write everything down; raises Unimportable with all that is wrong: the transaction is to be rolled back then.

    ``replace``: of the parties that the file has Locations of, it has all; the EVSEs of the others are REMOVED.
    """
    return _Import(db, contents, now, replace, list(contents.problems)).run()


@dataclass
class _Import:
    """One import under way: what is wrong is collected, so that the operator hears all of it at once."""

    db: Connection
    contents: Contents
    now: datetime
    replace: bool
    problems: list[str]
    #: Locations of this file, by folded id.
    placed: dict[str, list[int]] = field(default_factory=dict)
    #: (EVSE, connector key) of this file's bindings, and their places in it.
    bound: dict[tuple[int, str], int] = field(default_factory=dict)

    def run(self) -> Counts:
        before = inventory.snapshot(self.db)
        self._need_a_party()
        self._put_locations()
        if self.replace:
            self._remove_others()
        self._put_tariffs()
        self._put_stations()
        self._bind()
        self._no_spot_twice()
        if self.problems:
            raise Unimportable(self.contents.where(self.problems))
        found = list(changes(before, inventory.snapshot(self.db)))
        self._follow(found)
        imported = [evse for location in self.contents.locations.values() for evse in location.evses]
        return Counts(
            locations=len(self.contents.locations),
            evses=len(imported),
            connectors=sum(len(evse.connectors) for evse in imported),
            stations=len(self.contents.stations),
            bindings=len(self.contents.bindings),
            tariffs=len(self.contents.tariffs),
            unbound_evses=bindings.unbound(self.db),
            unknown_tariffs=tariffs.unknown(self.db),
            changes=found,
        )

    def _need_a_party(self) -> None:
        owned = {"location": self.contents.locations, "tariff": self.contents.tariffs}
        kind = next((kind for kind, entries in owned.items() if entries), None)
        if kind is not None and not partners.cpos(self.db):
            sentence = f"There is no CPO party that a {kind} could be of: add one first, with cpo add."
            raise Unimportable([sentence, *self.problems])

    def _put_locations(self) -> None:
        seen: _Seen = {}
        for at, location in self.contents.locations.items():
            cpo = self._new_of_ours(location, f"locations[{at}]", seen)
            self.problems += _ids_given_twice(location, f"locations[{at}]")
            key = fold(location.id)
            self.placed.setdefault(key, [])
            if cpo is not None:
                self._put_location(cpo, location, key)

    def _put_tariffs(self) -> None:
        seen: _Seen = {}
        for at, tariff in self.contents.tariffs.items():
            cpo = self._new_of_ours(tariff, f"tariffs[{at}]", seen)
            if cpo is not None:
                tariffs.put(self.db, cpo, tariff)

    def _new_of_ours(self, one: Location | Tariff, at: str, seen: _Seen) -> int | None:
        """The party of an entry; None when it is not to be put, and why is said."""
        party = Party(one.country_code, one.party_id)
        first = seen.setdefault((party, fold(one.id)), at)
        if first != at:
            self.problems.append(f'{at}.id: "{one.id}" is {first} too')
        cpo = topology.cpo_of(self.db, one.country_code, one.party_id)
        if cpo is None:
            ours = ", ".join(str(cpo.party) for cpo in partners.cpos(self.db))
            self.problems.append(f"{at}.party_id: {party} is none of our parties ({ours})")
        return cpo if first == at else None

    def _put_location(self, cpo: int, location: Location, key: str) -> None:
        known = topology.imported(self.db, cpo, location.id)
        made = merged(known.location if known is not None else None, location, self.now)
        if known is None or made is not known.location:
            placed = topology.put_location(self.db, cpo, made, made.wire())
            bindings.unbind_gone(self.db, placed)
        else:
            placed = known.id
        self.placed[key].append(placed)

    def _remove_others(self) -> None:
        """What a party has, and its file has not any more."""
        kept = {placed for found in self.placed.values() for placed in found}
        owners = {(one.country_code, one.party_id) for one in self.contents.locations.values()}
        for cpo in {topology.cpo_of(self.db, *owner) for owner in owners} - {None}:
            assert cpo is not None
            for known in topology.all_imported(self.db, cpo):
                gone = merged(known.location, known.location.model_copy(update={"evses": ()}), self.now)
                if known.id not in kept and gone is not known.location:
                    topology.put_location(self.db, cpo, gone, gone.wire())
                    bindings.unbind_gone(self.db, known.id)

    def _follow(self, found: Sequence[Change]) -> None:
        """What partners see of what is other than it was, and that they are to be told."""
        for location in inventory.locations_of(self.db, found):
            evses.follow_all(self.db, location, self.now)
            note(self.db, location, self.now)

    def _put_stations(self) -> None:
        seen: dict[str, int] = {}
        for at, station in self.contents.stations.items():
            first = seen.setdefault(station.id, at)
            if first != at:
                self.problems.append(f'stations[{at}].id: "{station.id}" is stations[{first}] too')
                continue
            known = stations.find(self.db, station.id)
            kept = _kept_password(station, known["password"] if known else None)
            if kept is None and station.security_profile != OPEN_PROFILE:
                self.problems.append(f"stations[{at}].password: needed; only security_profile 0 goes without")
            stations.put_station(self.db, station.id, station.security_profile, kept)

    def _bind(self) -> None:
        keys: dict[int, set[str]] = {}
        for at, binding in self.contents.bindings.items():
            evse, has_station = self._evse_of(binding, f"bindings[{at}]"), self._has_station(binding, f"bindings[{at}]")
            if evse is None or not has_station:
                continue
            key = fold(binding.connector_id or "")
            first = self.bound.setdefault((evse, key), at)
            if first != at:
                self.problems.append(f"bindings[{at}]: says where something is of which bindings[{first}] says it too")
                continue
            keys.setdefault(evse, set()).add(key)
            spot = (binding.evse, binding.connector)
            topology.bind(self.db, evse, binding.connector_id, binding.station, spot)
        for evse, bound in keys.items():
            bindings.unbind_others(self.db, evse, bound)

    def _has_station(self, binding: Binding, at: str) -> bool:
        if stations.find(self.db, binding.station) is not None:
            return True
        if binding.station not in self.contents.unread:
            self.problems.append(f'{at}.station: no station "{binding.station}" in the file or the database')
        return False

    def _evse_of(self, binding: Binding, at: str) -> int | None:
        """The EVSE that is bound; None when there is none, and that was said where it is this entry's fault."""
        location = self._location_of(binding, at)
        if location is None:
            return None
        if not topology.has_evse(self.db, location, binding.evse_uid):
            self.problems.append(f'{at}.evse_uid: no EVSE "{binding.evse_uid}" in location "{binding.location_id}"')
            return None
        named = binding.connector_id
        if named is not None and not topology.has_connector(self.db, location, binding.evse_uid, named):
            self.problems.append(f'{at}.connector_id: no connector "{named}" in EVSE "{binding.evse_uid}"')
            return None
        return topology.evse_id(self.db, location, binding.evse_uid)

    def _location_of(self, binding: Binding, at: str) -> int | None:
        key = fold(binding.location_id)
        if key in self.contents.unread:
            return None
        found = self.placed[key] if key in self.placed else bindings.locations_named(self.db, key)
        if len(found) > 1:
            self.problems.append(f'{at}.location_id: several of our parties have a location "{binding.location_id}"')
        elif not found and key not in self.placed:
            self.problems.append(f'{at}.location_id: no location "{binding.location_id}" in the file or the database')
        return found[0] if len(found) == 1 else None

    def _no_spot_twice(self) -> None:
        for station in sorted({binding.station for binding in self.contents.bindings.values()}):
            for one, other in combinations(bindings.bindings(self.db, station), 2):
                places = [self.bound.get((each["evse"], each["connector_key"]), -1) for each in (one, other)]
                if one["evse"] != other["evse"] and _overlap(one, other):
                    there = other if places[0] > places[1] else one
                    self.problems.append(
                        f'bindings[{max(places)}]: this spot of station "{station}" is EVSE "{there["evse_uid"]}"'
                        f' of location "{there["location_id"]}"'
                    )


def _ids_given_twice(location: Location, at: str) -> list[str]:
    found = _twice([evse.uid for evse in location.evses], f"{at}.evses", "uid")
    for number, evse in enumerate(location.evses):
        found += _twice([one.id for one in evse.connectors], f"{at}.evses[{number}].connectors", "id")
    return found


def _twice(ids: Sequence[str], at: str, name: str) -> list[str]:
    firsts: dict[str, int] = {}
    pairs = [(number, firsts.setdefault(fold(one), number)) for number, one in enumerate(ids)]
    return [f'{at}[{n}].{name}: "{ids[n]}" is {at}[{first}] too' for n, first in pairs if n != first]


def _kept_password(station: Station, known: str | None) -> str | None:
    """The hash to keep; one that fits already stays, so that importing again changes nothing."""
    if station.security_profile == OPEN_PROFILE:
        return None
    if station.password is None:
        return known
    password = station.password.encode()
    return known if known is not None and password_fits(password, known) else password_hash(password)


def _overlap(one: Row, other: Row) -> bool:
    """Whether two bindings of a station may mean the same plug; what is not said may be any."""
    return all(
        one[name] == other[name] or one[name] is None or other[name] is None
        for name in ("station_evse", "station_connector")
    )
