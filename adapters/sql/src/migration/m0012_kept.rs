//! Which attempts have no bodies any more.

super::sql_step!(
    "m0012_kept",
    ["ALTER TABLE attempts ADD COLUMN body_dropped BOOLEAN NOT NULL DEFAULT FALSE"]
);
