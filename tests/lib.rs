//! One test binary over the whole of Malecón: see `it/`.
