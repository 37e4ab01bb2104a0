"""The walk over a data set: see walker.pxd. Nothing of it is visible from Python."""
