//! Movies, and what users keep of them.

super::sql_step!(
    "m0004_movies",
    [
        // Days since the beginning of the year 1; microseconds since 1970. Neither the date nor the
        // title has an index, or a planner may read a million movies in their order in search of one
        // user's ten. The usual order of a user's movies stands beside them instead: `released` is the
        // movie's date and `stars` the user's, or -1 for none, which so comes last.
        "CREATE TABLE movies (
            id BIGINT PRIMARY KEY NOT NULL,
            title_folded TEXT NOT NULL,
            release_date BIGINT,
            fetched_at BIGINT NOT NULL,
            record TEXT NOT NULL
        )",
        "CREATE INDEX movies_age ON movies (fetched_at, id)",
        "CREATE TABLE favorites (
            user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            movie_id BIGINT NOT NULL REFERENCES movies (id),
            added_at BIGINT NOT NULL,
            released BIGINT NOT NULL,
            stars BIGINT NOT NULL,
            PRIMARY KEY (user_id, movie_id)
        )",
        "CREATE INDEX favorites_order ON favorites (user_id, released DESC, stars DESC, movie_id)",
        "CREATE INDEX favorites_movie ON favorites (movie_id)",
        "CREATE TABLE ratings (
            user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            movie_id BIGINT NOT NULL REFERENCES movies (id),
            stars BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            released BIGINT NOT NULL,
            PRIMARY KEY (user_id, movie_id)
        )",
        "CREATE INDEX ratings_order ON ratings (user_id, released DESC, stars DESC, movie_id)",
        "CREATE INDEX ratings_movie ON ratings (movie_id)",
    ]
);
