"""Exchange: what other harnesses wrote, and what they can read."""
