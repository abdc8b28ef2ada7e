"""Floor 3: entries -> bytes for people and programs. The only home of rich."""
