"""Doubles of the outside world: a charging station and an eMSP, independent of the gateway that they test."""
