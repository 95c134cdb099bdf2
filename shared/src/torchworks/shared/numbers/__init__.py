"""Random numbers: seeds by purpose, streams that depend on (seed, step, row) alone, the state of global generators."""
