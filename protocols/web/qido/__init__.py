"""Searching (QIDO-RS, PS3.18 10.6): rows, the attributes they hold, pages."""
