"""The content digest: see digest.pyx. Nothing of it is visible from Python."""
