//! Integration tasks, and runs with their attempts.

super::sql_step!(
    "m0005_tasks",
    [
        // Times are microseconds since 1970: of tasks as the caller says, of runs by the database's
        // clock. The number of a run is a UUID of version 7 as text, so that it sorts by age. A tick is
        // when a task is next run by itself: 0 for one that is to be planned, NULL for never.
        "CREATE TABLE tasks (
            id ID,
            owner BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            name_folded TEXT NOT NULL,
            last_run TEXT,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            revision BIGINT NOT NULL,
            tick BIGINT,
            config TEXT NOT NULL
        )",
        "CREATE INDEX tasks_owner ON tasks (owner, id)",
        "CREATE INDEX tasks_tick ON tasks (tick, id) WHERE tick IS NOT NULL",
        // What can be long stands last: SQLite reads a row up to the columns that it needs.
        "CREATE TABLE runs (
            id TEXT PRIMARY KEY NOT NULL,
            owner BIGINT REFERENCES users (id) ON DELETE CASCADE,
            task_id BIGINT REFERENCES tasks (id) ON DELETE CASCADE,
            lane TEXT NOT NULL,
            state TEXT NOT NULL,
            attempts BIGINT NOT NULL,
            max_attempts BIGINT NOT NULL,
            cancelled BOOLEAN NOT NULL,
            once_key TEXT UNIQUE,
            fingerprint TEXT,
            replayed_from TEXT,
            created_at BIGINT NOT NULL,
            due_at BIGINT NOT NULL,
            started_at BIGINT,
            ended_at BIGINT,
            lease_until BIGINT,
            job TEXT NOT NULL
        )",
        // Runs that are over are not in the indices of the queue, however many they are.
        "CREATE INDEX runs_due ON runs (due_at, id, lane) WHERE state = 'queued'",
        "CREATE INDEX runs_leased ON runs (lease_until) WHERE state = 'running'",
        "CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL",
        "CREATE INDEX runs_task ON runs (task_id, id DESC)",
        "CREATE INDEX runs_owner ON runs (owner, id DESC)",
        "CREATE INDEX runs_open ON runs (owner, id DESC) WHERE ended_at IS NULL",
        // The keys that secrets in tasks are sealed with.
        "CREATE TABLE seal_keys (
            id ID,
            secret BLOB NOT NULL,
            created_at BIGINT NOT NULL
        )",
        "CREATE TABLE attempts (
            run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            number BIGINT NOT NULL,
            started_at BIGINT NOT NULL,
            ended_at BIGINT,
            outcome TEXT,
            trace TEXT,
            PRIMARY KEY (run_id, number)
        )",
    ]
);
