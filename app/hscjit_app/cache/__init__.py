"""What was looked up already, kept where it is cheapest: in memory, then in Redis. Bytes only."""

from hscjit_app.cache.layers import MultiLayerCache, get_cache, set_cache

__all__ = ["MultiLayerCache", "get_cache", "set_cache"]
