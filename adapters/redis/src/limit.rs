//! Counts in Redis, on its clock.

use std::time::Duration;

use async_trait::async_trait;
use fred::error::Error;
use fred::interfaces::LuaInterface;
use malecon_ports::{CacheError, Limit, RateLimiter, Taken};

use crate::RedisStore;
use crate::store::millis;

/// KEYS: the count. ARGV: cost, quota, window in ms. Answers whether it was granted, what is left,
/// and when the window ends in ms. A count that never ends is nobody's work of ours, and begins anew.
const TAKE: &str = "local cost, quota = tonumber(ARGV[1]), tonumber(ARGV[2]) \
                    local ends = redis.call('pttl', KEYS[1]) \
                    local used = 0 \
                    if ends > 0 then \
                      used = tonumber(redis.call('get', KEYS[1])) \
                    else \
                      redis.call('del', KEYS[1]) \
                    end \
                    local granted = used + cost <= quota \
                    if granted and cost > 0 then \
                      used = redis.call('incrby', KEYS[1], cost) \
                      if ends <= 0 then redis.call('pexpire', KEYS[1], ARGV[3]) end \
                    end \
                    if ends <= 0 then ends = tonumber(ARGV[3]) end \
                    return {granted and 1 or 0, math.max(quota - used, 0), ends}";

/// Limits that processes share. A Redis that is gone costs a caller nothing, as with
/// [`RedisCache`](crate::RedisCache). What was taken may have been counted though no answer came.
#[derive(Clone)]
pub struct RedisRateLimiter(pub(crate) RedisStore);

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    async fn take(&self, key: &str, cost: u32, limit: Limit) -> Result<Taken, CacheError> {
        let keys = vec![format!("{}:r:{key}", self.0.prefix)];
        let arguments = vec![cost.to_string(), limit.quota.to_string(), millis(limit.window).to_string()];
        let answer: Result<(u64, u32, u64), Error> =
            self.0.hasty(self.0.client.eval(TAKE, keys, arguments)).await;
        let (granted, remaining, ends) = answer.map_err(|error| CacheError(error.into()))?;
        Ok(Taken { granted: granted == 1, remaining, reset: Duration::from_millis(ends) })
    }
}
