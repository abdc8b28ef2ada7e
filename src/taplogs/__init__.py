"""taplogs: the command line for API request logs."""

__version__ = "0.1.0"
