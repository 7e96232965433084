//! Users, their API tokens and sessions, and the keys that sign access tokens.

super::sql_step!(
    "m0003_users",
    [
        "CREATE TABLE users (
            id ID,
            name TEXT NOT NULL,
            last_name TEXT NOT NULL,
            email TEXT NOT NULL UNIQUE,
            role TEXT NOT NULL,
            password_hash TEXT,
            disabled BOOLEAN NOT NULL,
            token_version BIGINT NOT NULL,
            revision BIGINT NOT NULL,
            created_at BIGINT NOT NULL
        )",
        "CREATE TABLE api_tokens (
            id ID,
            hash BLOB NOT NULL UNIQUE,
            user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            prefix TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            expires_at BIGINT,
            last_used_at BIGINT
        )",
        "CREATE INDEX api_tokens_user_id ON api_tokens (user_id)",
        "CREATE TABLE sessions (
            id ID,
            user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            token_version BIGINT NOT NULL,
            ended BOOLEAN NOT NULL,
            created_at BIGINT NOT NULL
        )",
        "CREATE INDEX sessions_user_id ON sessions (user_id)",
        "CREATE TABLE refresh_tokens (
            hash BLOB PRIMARY KEY NOT NULL,
            session_id BIGINT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            used BOOLEAN NOT NULL,
            expires_at BIGINT NOT NULL
        )",
        "CREATE INDEX refresh_tokens_session_id ON refresh_tokens (session_id)",
        "CREATE TABLE signing_keys (
            id ID,
            secret BLOB NOT NULL,
            created_at BIGINT NOT NULL
        )",
    ]
);
