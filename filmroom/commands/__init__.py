"""One module per group of commands. Imported only when one of its commands is called."""
