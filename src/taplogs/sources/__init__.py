"""Floor 2: where entries come from. Every source answers the one protocol in `protocol.py`."""
