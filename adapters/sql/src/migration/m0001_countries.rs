//! Countries, and which state of them the store holds.

super::sql_step!(
    "m0001_countries",
    [
        "CREATE TABLE countries (
            cca3 TEXT PRIMARY KEY NOT NULL,
            cca2 TEXT NOT NULL,
            ccn3 TEXT,
            sort_name TEXT NOT NULL,
            sort_capital TEXT,
            sort_currency TEXT,
            sort_continent TEXT,
            sort_language TEXT,
            sort_flag TEXT,
            population BIGINT NOT NULL,
            area REAL,
            search_name TEXT NOT NULL,
            search_capital TEXT NOT NULL,
            search_continent TEXT NOT NULL,
            search_currency TEXT NOT NULL,
            search_language TEXT NOT NULL,
            search_region TEXT NOT NULL,
            search_all TEXT NOT NULL,
            record TEXT NOT NULL,
            updated_at BIGINT NOT NULL
        )",
        "CREATE INDEX countries_cca2 ON countries (cca2)",
        "CREATE INDEX countries_ccn3 ON countries (ccn3)",
        "CREATE TABLE country_state (
            id INTEGER PRIMARY KEY NOT NULL,
            version BIGINT NOT NULL,
            since BIGINT NOT NULL,
            checked_at BIGINT NOT NULL,
            report TEXT
        )",
        "INSERT INTO country_state (id, version, since, checked_at) VALUES (1, 0, 0, 0)",
    ]
);
