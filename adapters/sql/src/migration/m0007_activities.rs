//! Activities of countries.

super::sql_step!(
    "m0007_activities",
    [
        // One row a country: they are written and read together, at most a few hundred. Microseconds
        // since 1970; NULL before the first were fetched.
        "CREATE TABLE activities (
            country TEXT PRIMARY KEY NOT NULL,
            fetched_at BIGINT,
            total BIGINT NOT NULL,
            run TEXT,
            list TEXT NOT NULL
        )",
    ]
);
