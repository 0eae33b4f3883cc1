"""The configuration: Radicale's files and options, and calsync's (decision D4).

Read in this order, the later wins: the defaults (`calsync.options`), the files, the environment (`environment`), what
the caller overrides (the command line). `sources` finds and reads them, `faults` says what of them cannot be used,
`loading` makes one configuration of them, `questions` is what it can be asked. `check` and `lint` look for all that is
wrong or suspicious, at once.
"""

from calsync.config.faults import Fault, like, unknown_types
from calsync.config.loading import build, known_options, load
from calsync.config.questions import is_own_storage, is_set, missing_files, place_of, read_files
from calsync.config.sources import (
    FILES,
    VARIABLES,
    ConfigurationError,
    Source,
    Values,
    default_paths,
    line_of,
    named_files,
    of_command_line,
    of_variables,
    read_file,
)

__all__ = [
    "FILES",
    "VARIABLES",
    "ConfigurationError",
    "Fault",
    "Source",
    "Values",
    "build",
    "default_paths",
    "is_own_storage",
    "is_set",
    "known_options",
    "like",
    "line_of",
    "load",
    "missing_files",
    "named_files",
    "of_command_line",
    "of_variables",
    "place_of",
    "read_file",
    "read_files",
    "unknown_types",
]
