"""The requirements of OCPP 2.x that a reservation and remote control rest on, in our own words, and whom they bind.

1.6 has no numbers; its counterparts are shown by the same tests. Where the specification speaks to the station alone,
and nothing of it reaches the CSMS, only the station is bound.
"""

from typing import NamedTuple

STATION, CSMS, BOTH = "station", "CSMS", "station, CSMS"


class Requirement(NamedTuple):
    """One requirement."""

    binds: str
    asks: str


REQUIREMENTS = {
    name: Requirement(*words)
    for name, words in {
        "B01.FR.13": (BOTH, "A reservation outlives a reboot, and its connectors show Reserved after it."),
        "B02.FR.05": (BOTH, "A station that is pending starts and stops nothing: it rejects, and is believed."),
        "B03.FR.08": (BOTH, "Nothing is asked of a station that was not accepted; it would answer SecurityError."),
        "E01.FR.07": (BOTH, "The events of a transaction are numbered from 0 without a gap, and ordered by that."),
        "E01.FR.08": (BOTH, "A station never gives an id to two transactions; the CSMS tells them apart by it."),
        "F01.FR.01": (BOTH, "With AuthorizeRemoteStart the token is asked about before a remote start is obeyed."),
        "F01.FR.02": (BOTH, "Without it the charge starts at once; its token is judged when the transaction is told."),
        "F01.FR.07": (BOTH, "A start may leave the EVSE to the station, which may refuse that: one is named."),
        "F01.FR.13": (BOTH, "A transaction that runs and waits for leave is named in the answer to the start."),
        "F01.FR.19": (BOTH, "The next event of the transaction has the trigger RemoteStart."),
        "F01.FR.21": (BOTH, "Nothing is started where another's token has reserved."),
        "F01.FR.22": (BOTH, "Nothing is started where another's group has reserved; token and group are compared."),
        "F01.FR.23": (BOTH, "Nothing is started at an EVSE that is Unavailable or Faulted."),
        "F01.FR.24": (BOTH, "Nothing is started where an authorized transaction runs."),
        "F01.FR.25": (BOTH, "That event tells the remoteStartId, once."),
        "F02.FR.07": (BOTH, "Without a cable in time the start is over: Timeout, EVConnectTimeout; or not a word."),
        "F03.FR.02": (BOTH, "With a later TxStopPoint a stopped transaction goes on until its cable is out."),
        "F03.FR.07": (BOTH, "A transaction that is known is stopped."),
        "F03.FR.08": (BOTH, "A transaction that is unknown is not: the stop is rejected, and what is known settled."),
        "F04": (BOTH, "With ISO 15118 the station ends its talk with the car first; the end is told later."),
        "F05.FR.01": (BOTH, "A connector is unlocked, or not, and which of the two is told."),
        "F05.FR.02": (BOTH, "Where an authorized transaction runs nothing is unlocked, and it is not stopped."),
        "F05.FR.03": (BOTH, "A connector that is not there is told as unknown."),
        "F06.FR.04": (STATION, "A message that is asked for follows the answer, not the other way round."),
        "F06.FR.05": (STATION, "What cannot be told now is rejected."),
        "F06.FR.06": (STATION, "Meter values are those of the EVSE that was asked about."),
        "F06.FR.07": (STATION, "A transaction event that is asked for tells the present state."),
        "F06.FR.08": (STATION, "A message that the station does not have is NotImplemented."),
        "F06.FR.11": (STATION, "Without an EVSE all of them are meant."),
        "F06.FR.12": (BOTH, "A status is asked for of a connector: EVSE and connector are both named."),
        "F06.FR.13": (BOTH, "Without a connector's number a status is rejected."),
        "F06.FR.17": (STATION, "A station that was accepted rejects a wish for its boot."),
        "H01.FR.01": (BOTH, "A station that is set to take no reservations rejects them, and who asked is told."),
        "H01.FR.02": (BOTH, "A reservation with the number of another replaces it."),
        "H01.FR.03": (BOTH, "One with a number of its own is accepted when an EVSE can be kept."),
        "H01.FR.04": (BOTH, "Without an EVSE it is accepted while one is Available, where the station can that."),
        "H01.FR.06": (BOTH, "With a type of connector it is accepted while an EVSE with one is Available."),
        "H01.FR.07": (BOTH, "For a reservation of any EVSE one is kept free for its token while it lasts."),
        "H01.FR.09": (BOTH, "For a reservation of a type one connector of it is kept free while it lasts."),
        "H01.FR.11": (BOTH, "Occupied, when all that is meant is reserved or in use."),
        "H01.FR.12": (BOTH, "Faulted, when all that is meant is."),
        "H01.FR.14": (BOTH, "Unavailable, when all that is meant is."),
        "H01.FR.15": (BOTH, "The transaction of the token names the reservation, which is thereby used."),
        "H01.FR.16": (BOTH, "An EVSE that becomes Faulted loses its reservation, which is told as Removed."),
        "H01.FR.17": (BOTH, "An EVSE that becomes Unavailable loses its reservation, which is told as Removed."),
        "H01.FR.18": (BOTH, "Any EVSE is reserved only where NonEvseSpecific is true."),
        "H01.FR.19": (BOTH, "Where it is false or not there, a reservation without an EVSE is rejected: one is named."),
        "H01.FR.20": (BOTH, "When every available EVSE is needed, the connectors of the last one show Reserved."),
        "H01.FR.23": (BOTH, "All connectors of an EVSE that was reserved by its number show Reserved."),
        "H01.FR.24": (BOTH, "When every EVSE with the type is needed, the connectors of the last one show Reserved."),
        "H02.FR.01": (BOTH, "What the station has not reserved it does not cancel: Rejected, and ours is given up."),
        "H02.FR.02": (BOTH, "What it has reserved it cancels, and tells no more of it."),
        "H02.FR.03": (BOTH, "The EVSE that was reserved is everybody's again."),
        "H02.FR.04": (BOTH, "Its connectors show Available."),
        "H02.FR.05": (BOTH, "When no EVSE was named, all that are not reserved themselves are everybody's again."),
        "H02.FR.06": (BOTH, "Where all of those showed Reserved, they show Available."),
        "H03.FR.01": (BOTH, "At a reserved EVSE its token charges."),
        "H03.FR.02": (BOTH, "For a reserved type its token charges at any EVSE that has it."),
        "H03.FR.03": (BOTH, "For a reservation of any EVSE its token charges at any."),
        "H03.FR.04": (BOTH, "At a reserved EVSE any token of its group charges: the group is told with each token."),
        "H03.FR.05": (BOTH, "So it is with a reserved type."),
        "H03.FR.06": (BOTH, "So it is with a reservation of any EVSE."),
        "H03.FR.07": (BOTH, "The group of a token may come from the station's own list or cache, which we fill."),
        "H03.FR.08": (BOTH, "Else the CSMS is asked, and tells it."),
        "H03.FR.09": (BOTH, "Presenting the token or one of the group uses the reservation up; a transaction tells."),
        "H03.FR.10": (BOTH, "The connector then shows Available without a cable and Occupied with one."),
        "H03.FR.11": (BOTH, "2.1: when no transaction followed in time, that may be told as NoTransaction."),
        "H04.FR.01": (BOTH, "What has expired is told as Expired, recorded, and answered with nothing."),
        "H04.FR.02": (BOTH, "The EVSE that was reserved is everybody's again."),
        "H04.FR.03": (BOTH, "Its connectors show Available."),
    }.items()
}
