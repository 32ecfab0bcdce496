"""Everything the house says over HTTP to others leaves through here: checked, bounded, and by one client."""
