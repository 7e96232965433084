//! Leases: one row a name, whose token only grows.

super::sql_step!(
    "m0002_leases",
    ["CREATE TABLE leases (
        name TEXT PRIMARY KEY NOT NULL,
        token BIGINT NOT NULL,
        until BIGINT NOT NULL
    )"]
);
