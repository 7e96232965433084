//! Leases in Redis, on its clock.

use std::time::Duration;

use async_trait::async_trait;
use fred::error::Error;
use fred::interfaces::LuaInterface;
use malecon_ports::{Lease, Lock, LockError};

use crate::RedisStore;
use crate::store::millis;

/// KEYS: the holder's token, and a counter that ends an hour after the last lease, so that names which
/// nobody uses any more leave nothing behind. ARGV: time to live in ms. A counter that ended or was
/// lost (no persistence, eviction) begins with the time in ms: leases are rarer than one a
/// millisecond, so the tokens go on growing.
const ACQUIRE: &str = "if redis.call('exists', KEYS[1]) == 1 then return 0 end \
                       if redis.call('exists', KEYS[2]) == 0 then \
                         local now = redis.call('time') \
                         local ms = now[1] * 1000 + math.floor(now[2] / 1000) \
                         redis.call('set', KEYS[2], string.format('%.0f', ms)) \
                       end \
                       local token = redis.call('incr', KEYS[2]) \
                       redis.call('set', KEYS[1], string.format('%.0f', token), 'PX', ARGV[1]) \
                       redis.call('pexpire', KEYS[2], ARGV[1] + 3600000) \
                       return token";
/// ARGV: token, time to live in ms.
const RENEW: &str = "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end \
                     return redis.call('pexpire', KEYS[1], ARGV[2])";
/// ARGV: token.
const RELEASE: &str =
    "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('del', KEYS[1])";

/// Leases of one Redis, version 5 or later. They do not hide behind the cache's breaker, and wait up
/// to 1 s for an answer.
///
/// Two servers of a failed-over Redis may both give a lease: what must never happen twice checks the
/// fencing token where it writes. An `acquire` that failed may have reached Redis: then the name is
/// nobody's until its `ttl` is over.
#[derive(Clone)]
pub struct RedisLock(pub(crate) RedisStore);

impl RedisLock {
    async fn run(&self, script: &str, name: &str, arguments: Vec<String>) -> Result<u64, LockError> {
        let keys = keys(&self.0.prefix, name).to_vec();
        let answer: Result<u64, Error> = self.0.patient(self.0.client.eval(script, keys, arguments)).await;
        answer.map_err(|error| LockError(error.into()))
    }
}

/// The holder's key and the counter's. What the braces hold keeps both on one node of a cluster; the
/// colon in them is for names that would leave them empty.
pub(crate) fn keys(prefix: &str, name: &str) -> [String; 2] {
    ["l", "f"].map(|kind| format!("{prefix}:{kind}:{{:{name}}}"))
}

#[async_trait]
impl Lock for RedisLock {
    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, LockError> {
        let token = self.run(ACQUIRE, name, vec![millis(ttl).to_string()]).await?;
        Ok((token > 0).then(|| Lease { name: name.to_owned(), token }))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, LockError> {
        let arguments = vec![lease.token.to_string(), millis(ttl).to_string()];
        Ok(self.run(RENEW, &lease.name, arguments).await? == 1)
    }

    async fn release(&self, lease: &Lease) -> Result<(), LockError> {
        self.run(RELEASE, &lease.name, vec![lease.token.to_string()]).await.map(|_| ())
    }
}
