//! Passwords with argon2id, access tokens with HS256.

mod password;
#[cfg(test)]
mod tests;
mod token;

pub use password::Argon2Hasher;
pub use token::Hs256;
