"""What colours mean, for lines (SGR codes, ECMA-48) and for rich (style names) alike."""

from __future__ import annotations

BOLD = "1"

STATUS_STYLES = {2: "32", 3: "36", 4: "33", 5: "31"}
"""First digit of a status -> SGR: green, cyan, yellow, red."""

STATUS_COLORS = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}
"""The same for rich."""

ERROR_STYLE = "1;31"
HINT_STYLE = "1;36"
