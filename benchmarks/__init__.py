"""Speed and size of slimpy, as ratios in one run; `python -m benchmarks` runs them."""
