"""What `calsync init` asks, writes and says: answers, the configuration's text, the unit, Radicale's to take over."""
