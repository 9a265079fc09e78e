"""The only place that touches what pytest, xdist and the standard library do not promise to keep.

Tested against each supported release of both (`.ci/matrix`).
"""
