"""What is to be seen of a running server in figures: for Prometheus, and for `calsync top`.

`requests` counts each request as it ends; `gauges` looks up what stands in the store, no more often than is cheap;
`exposition` writes both as Prometheus reads it, for `listener` (an address of its own) and `/.calsync/metrics` (for
administrators). The figures themselves are kept by `calsync.counters`.
"""
