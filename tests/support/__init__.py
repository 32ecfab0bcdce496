"""What the tests that run whole processes lean on."""
