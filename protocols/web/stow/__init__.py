"""Storing (STOW-RS, PS3.18 10.5): from a body on the wire into the intake, and what became of each instance."""
