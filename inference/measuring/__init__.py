"""Measuring: what SQL cannot say of completions, once for each of them."""
