"""Single frames, folded and unfolded in worker processes.

Nothing here loads the engine or trio, so that the processes start fast and stay small.
"""
