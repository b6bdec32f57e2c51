"""What a hook call costs, beside the least that it could cost. Run by `make bench`; read docs/performance.md."""
