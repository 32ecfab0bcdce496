"""The database is the truth: its tables, and every query there is."""
