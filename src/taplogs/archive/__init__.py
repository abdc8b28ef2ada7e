"""The local archive: what is pulled from a backend and kept, beyond what that remembers."""
