"""Floor 1: what the product is about. No input or output, no command line, no terminal, no HTTP."""
