"""The program of one AWS account: what `releasectl bootstrap` makes before any environment can be."""
