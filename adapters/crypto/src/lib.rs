//! Passwords with argon2id, access tokens with HS256, seals with XChaCha20-Poly1305.

mod password;
mod seal;
#[cfg(test)]
mod tests;
mod token;

pub use password::Argon2Hasher;
pub use seal::XChaChaSealer;
pub use token::Hs256;
