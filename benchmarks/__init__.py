"""Benchmarks: python -m benchmarks lists what there is and runs it.

harness     timing, the facts of the machine, JSON lines on stdout, a table on stderr
compare     two files of JSON lines: what became slower
limits      what this machine can do at most: bytes and operations a second
shapes      released models as configurations and tensor shapes
models      folders in Hugging Face layout, real shapes, random weights
report      JSON lines -> a Markdown table: ratios to the peer, shares of the limits
quality     what each format costs in quality: agreement, KL, perplexity against f32
walk        a model's whole way, and that nothing on it changes a token
pipeline/   loading, prefill, decode, the first chunk, through the public API
peers/      the competition, each under an interpreter of its own
"""
