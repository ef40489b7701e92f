"""The turn-based voice agent that the field ships, as a system to be measured beside others."""
