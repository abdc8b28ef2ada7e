"""Floor 2: the reference logging backend, served by `taplogs serve` and in process behind `--demo`."""
