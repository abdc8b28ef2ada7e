"""The titles that stand above options in the help."""

from __future__ import annotations

ARGUMENTS = "Arguments"
ASSERTIONS = "Assertions"
ASSURANCE = "Assurance"
FILTERS = "Filters"
OUTPUT = "Output"
SOURCE = "Source"
DISPLAY = "Display"
OTHER = "Options"

ORDER = (ARGUMENTS, ASSERTIONS, ASSURANCE, FILTERS, OUTPUT, SOURCE, DISPLAY, OTHER)
