"""The worklist over the web (UPS-RS, PS3.18 11): workitems, subscriptions, and their notifications."""
