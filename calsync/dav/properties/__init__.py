"""The live properties, each declared beside its value; one file a family (`registry.live`, `registry.settable`)."""

from calsync.dav.properties import acl, apple, bulk, caldav, carddav, core, locks, quota, radicale, sync

__all__ = ["acl", "apple", "bulk", "caldav", "carddav", "core", "locks", "quota", "radicale", "sync"]
