//! Mail: who writes to whom, and what.

#[cfg(test)]
mod tests;

use std::fmt;

use uuid::Uuid;

use crate::{Email, Instant};

/// What is no [`Mailbox`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no mail address like ana@example.com or Ana <ana@example.com>")]
pub struct InvalidMailbox(String);

/// Whom mail comes from or goes to: an address in ASCII that needs no quotes (RFC 5322, dot-atom), with
/// a name for people or without one. Neither can end a header or a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    email: Email,
}

impl Mailbox {
    /// Characters of a name at most.
    pub const LONGEST_NAME: usize = 100;
    /// Characters before the `@` at most (RFC 5321, 4.5.3.1.1).
    const LONGEST_LOCAL: usize = 64;

    /// The mailbox that is written like `ana@example.com` or `Ana <ana@example.com>`.
    ///
    /// # Errors
    /// [`InvalidMailbox`].
    pub fn parse(text: &str) -> Result<Self, InvalidMailbox> {
        let invalid = || InvalidMailbox(text.chars().take(Email::LONGEST).collect());
        let trimmed = text.trim();
        let (name, address) = match trimmed.strip_suffix('>') {
            Some(rest) => rest.rsplit_once('<').ok_or_else(invalid)?,
            None => ("", trimmed),
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        let is_name = name.chars().count() <= Self::LONGEST_NAME
            && !name.chars().any(|c| c.is_control() || ['"', '<', '>', '\\'].contains(&c));
        let email = Some(address).filter(|address| is_name && is_plain(address)).and_then(Email::new);
        let name = (!name.is_empty()).then(|| name.to_owned());
        email.map(|email| Self { name, email }).ok_or_else(invalid)
    }

    /// The mailboxes that are written one after the other, with commas between them; blank ones count
    /// for nothing.
    ///
    /// # Errors
    /// [`InvalidMailbox`] for the first that is none.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, InvalidMailbox> {
        text.split(',').filter(|part| !part.trim().is_empty()).map(Self::parse).collect()
    }

    /// The name for people.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address.
    pub fn email(&self) -> &Email {
        &self.email
    }

    /// What stands before the `@`, and what behind it.
    pub fn parts(&self) -> (&str, &str) {
        self.email.as_str().rsplit_once('@').unwrap_or_default()
    }
}

/// Whether an address needs no quotes and no other letters than those of ASCII.
fn is_plain(address: &str) -> bool {
    let is_atom = |text: &str| {
        let is_text = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        !text.is_empty() && text.chars().all(is_text)
    };
    address.is_ascii()
        && address
            .rsplit_once('@')
            .is_some_and(|(local, _)| local.len() <= Mailbox::LONGEST_LOCAL && local.split('.').all(is_atom))
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.email.as_str()),
            None => f.write_str(self.email.as_str()),
        }
    }
}

/// A text of one line: white space and what controls, line feeds among it, have become single spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// The text in one line.
    pub fn new(text: &str) -> Self {
        let parts = text.split(|c: char| c.is_whitespace() || c.is_control());
        Self(parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mail, in two ways of writing for people, with files.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// What it is known by: a mail that is sent again keeps it.
    pub id: Uuid,
    /// When it was written.
    pub date: Instant,
    /// Who writes.
    pub from: Mailbox,
    /// To whom.
    pub to: Vec<Mailbox>,
    /// What it is about.
    pub subject: Line,
    /// What it says, in plain text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
    /// Files.
    pub attachments: Vec<Attachment>,
}

/// A file that goes with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: Line,
    /// Its media type.
    pub media_type: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}
