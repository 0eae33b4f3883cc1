"""The HTTP methods, one file each, declared with `registry.method`."""

from calsync.dav.methods import copy_move, delete, get, lock, mkcol, options, post, propfind, proppatch, put, report

__all__ = ["copy_move", "delete", "get", "lock", "mkcol", "options", "post", "propfind", "proppatch", "put", "report"]
