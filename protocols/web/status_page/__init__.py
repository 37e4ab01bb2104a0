"""The page at ``/``, for people who look after an archive."""
