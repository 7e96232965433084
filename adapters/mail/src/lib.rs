//! Mail by SMTP.

mod message;
mod server;
mod smtp;
#[cfg(test)]
mod tests;

pub use server::{InvalidServer, Security, Server};
pub use smtp::{Smtp, SmtpError, SmtpOptions};
