"""Octets of anybody into everything that reads octets: only the exceptions that are documented come out."""
