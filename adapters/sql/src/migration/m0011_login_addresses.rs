//! Where users logged in from.

super::sql_step!(
    "m0011_login_addresses",
    [
        // A few rows a user. Keyed hashes of addresses, and when the last login came from each, in
        // microseconds since 1970.
        "CREATE TABLE login_addresses (
            user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            address BLOB NOT NULL,
            last_at BIGINT NOT NULL,
            PRIMARY KEY (user_id, address)
        )",
    ]
);
