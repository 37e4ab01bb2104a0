"""Retrieval (WADO-RS, PS3.18 10.4; WADO-URI, PS3.18 9): objects, metadata, frames, bulk data, rendered, ZIP."""
