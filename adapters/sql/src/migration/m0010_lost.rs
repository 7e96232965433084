//! Attempts that do not count against the most that a run may have.

super::sql_step!(
    "m0010_lost",
    [
        // How many of a run's attempts were lost, and how many were interrupted.
        "ALTER TABLE runs ADD COLUMN lost BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN interrupted BIGINT NOT NULL DEFAULT 0",
    ]
);
