"""The titles that stand above options in the help."""

from __future__ import annotations

ARGUMENTS = "Arguments"
ASSERTIONS = "Assertions"
FILTERS = "Filters"
OUTPUT = "Output"
SOURCE = "Source"
DISPLAY = "Display"
OTHER = "Options"

ORDER = (ARGUMENTS, ASSERTIONS, FILTERS, OUTPUT, SOURCE, DISPLAY, OTHER)
