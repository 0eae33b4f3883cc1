"""What every request needs of the server: the store, Radicale's back ends and the settings, all fixed at start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from calsync.accounts.newcomer import First
from calsync.jobs.retention import bounds
from calsync.store.engine import Store
from calsync.store.quarantine import Bounds
from calsync.upstream import Configuration, hook, rights, sharing
from calsync_storage.predefined import predefined


@dataclass(frozen=True, slots=True)
class Settings:
    """Options as the behaviour reads them; sizes in bytes. `predefined`: what a new home holds, None for ours."""

    max_resource_size: int = 10_000_000
    max_content_length: int = 100_000_000
    max_instances: int = 10_000
    permit_delete_collection: bool = True
    permit_overwrite_collection: bool = True
    strict_preconditions: bool = False
    permit_files: bool = False
    propfind_infinity: bool = True
    directory: str = "groups"
    predefined: Sequence[First] | None = None
    quarantine: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class Context:
    """The server as a request sees it."""

    store: Store
    rights: rights.BaseRights
    sharing: sharing.BaseSharing
    hook: hook.BaseHook
    settings: Settings = field(default_factory=Settings)


def settings(configuration: Configuration) -> Settings:
    """The options that behaviour depends on."""
    get = configuration.get
    return Settings(
        max_resource_size=get("server", "max_resource_size"),
        max_content_length=get("server", "max_content_length"),
        max_instances=get("server", "max_vevent_rrule_occurrence"),
        permit_delete_collection=get("rights", "permit_delete_collection"),
        permit_overwrite_collection=get("rights", "permit_overwrite_collection"),
        strict_preconditions=get("storage", "strict_preconditions"),
        permit_files=get("storage", "permit_files"),
        propfind_infinity=get("limits", "propfind_infinity"),
        directory=get("calsync", "directory"),
        predefined=predefined(configuration),
        quarantine=bounds(configuration),
    )
