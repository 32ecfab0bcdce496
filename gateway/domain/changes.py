"""Changes: what an import has added, changed and removed, by what there was before and after it."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

ADDED, CHANGED, REMOVED = "added", "changed", "removed"


@dataclass(frozen=True)
class Thing:
    """Something that an import may bring."""

    #: ``location``, ``evse``, ``binding``, ``tariff`` or ``station``.
    kind: str
    #: The ids that name it, from the outside in; of what a party has, without the party.
    ids: tuple[str, ...]
    #: ``NL*CPO``; empty: it is nobody's.
    party: str = ""

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.party, "/".join(self.ids))))


@dataclass(frozen=True)
class Change:
    """One thing that is other than it was."""

    #: ``added``, ``changed`` or ``removed``.
    what: str
    thing: Thing


#: What is known of each; two that are equal are the same.
Snapshot = Mapping[Thing, Hashable]


def changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """In the order of ``after``, and then what is not there any more."""
    for thing, value in after.items():
        if thing not in before:
            yield Change(ADDED, thing)
        elif before[thing] != value:
            yield Change(CHANGED, thing)
    for thing in before:
        if thing not in after:
            yield Change(REMOVED, thing)
