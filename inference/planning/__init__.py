"""Planning: from a benchmark's declaration to the requests that a model is to be sent."""
