"""Loading, prefill, decode, the first chunk: through the public API, as a caller sees them."""
