"""Work that nobody waits for: what must be done from time to time, by one process for all."""
