"""The gateway: passes requests on to an upstream and back, unchanged, and has each recorded."""
