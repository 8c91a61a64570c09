"""Speed, always as a ratio: ours and a peer, interleaved in one run on one machine."""
