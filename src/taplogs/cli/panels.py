"""The titles that stand above options in the help."""

from __future__ import annotations

ACCESS = "Access"
ARGUMENTS = "Arguments"
ASSERTIONS = "Assertions"
ASSURANCE = "Assurance"
FILTERS = "Filters"
GATEWAY = "Gateway"
LISTENING = "Listening"
OUTPUT = "Output"
SOURCE = "Source"
STORE = "Store"
DISPLAY = "Display"
OTHER = "Options"

ORDER = (
    ARGUMENTS,
    ASSERTIONS,
    ASSURANCE,
    FILTERS,
    OUTPUT,
    SOURCE,
    GATEWAY,
    STORE,
    LISTENING,
    ACCESS,
    DISPLAY,
    OTHER,
)
