"""The live properties, each declared beside its value; one file a family (`registry.live`, `registry.settable`)."""

from calsync.dav.properties import acl, apple, caldav, carddav, core, sync

__all__ = ["acl", "apple", "caldav", "carddav", "core", "sync"]
