"""The HSC-JIT operator: one HSCJit resource in, a running and self-tending assistant out."""
