"""Rules of OCPI that no test names, and why: what they ask cannot be shown by this gateway, or not be asked of it."""

REASONS: dict[int, str] = {
    42: "Only connections are asked, and all of them are known.",
    78: "For contracts. Nothing is deleted by itself, and all versions show the same objects.",
    89: "For operators: `partner invite` prints the token once, and the gateway keeps its hash alone.",
    117: "Nothing is ever read from an EVSE id or a contract id.",
    228: "ChargingProfiles are not offered.",
    229: "ChargingProfiles are not offered.",
    230: "ChargingProfiles are not offered.",
    231: "Binds the eMSP, and is relied upon: rules 142 and 157.",
    234: "Binds the eMSP; any whitelist is taken with any type of token.",
    235: "No charge is steered: a wish is answered NOT_POSSIBLE, and no ProfileType is supported.",
    239: "Of OCPI 2.3.0, which is not offered; an unknown value of an enumeration is 2001.",
    240: "Of OCPI 2.3.0, which is not offered.",
}
