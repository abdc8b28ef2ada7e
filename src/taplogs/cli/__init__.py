"""Floor 4: parse, call, hand over. The only home of typer."""
