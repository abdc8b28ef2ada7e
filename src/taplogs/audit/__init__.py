"""Exports that can be proven: written, signed, verified, shown in part. Knows nothing of the command line."""
