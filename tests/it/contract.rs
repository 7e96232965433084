//! The contract suites on servers: PostgreSQL and Redis, each test on a database or prefix of its own.

mod postgres {
    use malecon_sql::testing::{TestDatabase, postgres};

    async fn fresh() -> TestDatabase {
        postgres(env!("TEST_DATABASE_URL")).await
    }

    mod countries {
        malecon_ports::country_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod activities {
        malecon_ports::activity_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod lock {
        malecon_ports::lock_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod users {
        malecon_ports::user_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod tokens {
        malecon_ports::token_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod sessions {
        malecon_ports::session_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod keys {
        malecon_ports::key_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod dogs {
        malecon_ports::dog_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod movies {
        malecon_ports::movie_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod tasks {
        malecon_ports::task_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod schedules {
        malecon_ports::schedule_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }

    mod runs {
        malecon_ports::run_contract!(
            super::fresh().await, #[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
        );
    }
}

/// Runs whose tickets are handed out.
mod tickets;

mod redis {
    use malecon_redis::RedisStore;

    async fn fresh() -> RedisStore {
        let prefix = format!("test-{}", uuid::Uuid::new_v4().simple());
        let store = RedisStore::connect(env!("TEST_REDIS_URL"), &prefix).unwrap();
        while store.check().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        store
    }

    mod cache {
        malecon_ports::cache_contract!(
            super::fresh().await.cache(), #[cfg_attr(not(redis), ignore = "needs TEST_REDIS_URL")]
        );
    }

    mod limit {
        malecon_ports::limit_contract!(
            super::fresh().await.limiter(), #[cfg_attr(not(redis), ignore = "needs TEST_REDIS_URL")]
        );
    }

    mod lock {
        malecon_ports::lock_contract!(
            super::fresh().await.lock(), #[cfg_attr(not(redis), ignore = "needs TEST_REDIS_URL")]
        );
    }
}
