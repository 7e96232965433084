//! Mail as it goes over the wire: RFC 5322 and MIME, in ASCII.

use std::time::SystemTime;

use lettre::Message;
use lettre::address::AddressError;
use lettre::message::header::{ContentType, ContentTypeErr, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox as Written, MultiPart};
use malecon_domain::{Mail, Mailbox};

/// Tells programs that answer by themselves to leave it (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// Why a mail can't be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritten {
    /// An address that our rules took and the library's do not.
    #[error("an address makes no sense")]
    Address(#[from] AddressError),
    /// A media type that is none.
    #[error("a media type makes no sense")]
    MediaType(#[from] ContentTypeErr),
    /// A part that is missing.
    #[error("a part is missing")]
    Message(#[from] lettre::error::Error),
}

/// The address as a command names it.
pub(crate) fn address(mailbox: &Mailbox) -> Result<lettre::Address, AddressError> {
    let (local, host) = mailbox.parts();
    lettre::Address::new(local, host)
}

fn written(mailbox: &Mailbox) -> Result<Written, AddressError> {
    Ok(Written::new(mailbox.name().map(str::to_owned), address(mailbox)?))
}

/// The mail with its headers.
pub(crate) fn message(mail: &Mail) -> Result<Vec<u8>, Unwritten> {
    let (_, host) = mail.from.parts();
    let mut builder = Message::builder()
        .from(written(&mail.from)?)
        .subject(mail.subject.as_str())
        .date(SystemTime::from(mail.date))
        .message_id(Some(format!("<{}@{host}>", mail.id)))
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()));
    for to in &mail.to {
        builder = builder.to(written(to)?);
    }
    let texts = MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone());
    let mut parts = MultiPart::mixed().multipart(texts);
    for file in &mail.attachments {
        let media_type = ContentType::parse(file.media_type)?;
        let name = file.name.as_str().to_owned();
        parts = parts.singlepart(Attachment::new(name).body(file.bytes.clone(), media_type));
    }
    Ok(builder.multipart(parts)?.formatted())
}
