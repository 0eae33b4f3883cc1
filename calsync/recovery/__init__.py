"""What brings data back: backups and their restore, the journal and its replay, what can be salvaged of a store."""
