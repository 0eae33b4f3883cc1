"""Other CalDAV and CardDAV servers, seen as a client: where an account's collections are, and how they come here."""
