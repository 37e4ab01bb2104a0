"""The OHIF viewer, served beside what it shows."""
