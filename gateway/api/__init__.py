"""The HTTP side: OCPI for partners, health for operators."""
