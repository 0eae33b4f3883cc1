"""Radicale plugin: the configured rights, cut to what the app password of a request may do."""
