"""How often one address may try something; counted in Redis, so in all replicas and releases together."""

from fastapi import HTTPException, Request
from redis.exceptions import RedisError

from community.context import Outside


async def check_rate(outside: Outside, request: Request, what: str, allowed: int, seconds: int) -> None:
    """Count one try; 429 above the limit, and 503 when Redis cannot count: no door opens by breaking the lock."""
    client = request.client.host if request.client else "unknown"
    key = f"rate:{what}:{client}"
    try:
        async with outside.redis.pipeline(transaction=True) as pipe:
            pipe.incr(key)
            pipe.expire(key, seconds, nx=True)
            pipe.ttl(key)
            count, _, left = await pipe.execute()
    except RedisError:
        raise HTTPException(503, "Sign-in is not available right now.") from None
    if count > allowed:
        raise HTTPException(429, f"Too many tries. Try again in {left} seconds.", {"Retry-After": str(left)})
