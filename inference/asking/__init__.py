"""Asking: from requests to shards, over SGLang servers."""
