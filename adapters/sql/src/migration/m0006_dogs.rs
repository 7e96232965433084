//! Dogs.

super::sql_step!(
    "m0006_dogs",
    [
        // Each name is one dog's, whatever its case. A dog stays when its owner goes.
        "CREATE TABLE dogs (
            id ID,
            name TEXT NOT NULL,
            name_key TEXT NOT NULL UNIQUE,
            name_folded TEXT NOT NULL,
            picture TEXT,
            created_at BIGINT NOT NULL,
            is_adopted BOOLEAN NOT NULL,
            owner BIGINT REFERENCES users (id) ON DELETE SET NULL,
            revision BIGINT NOT NULL
        )",
        "CREATE INDEX dogs_owner ON dogs (owner, id)",
        "CREATE INDEX dogs_home ON dogs (is_adopted, id)",
    ]
);
