"""The OHIF viewer on this machine: fetched, checked, laid down where a node serves it."""
