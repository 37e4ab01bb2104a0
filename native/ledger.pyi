"""What the intake log knows of its records: see ledger.pxd. Nothing of it is visible from Python."""
