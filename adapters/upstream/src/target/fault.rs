//! What failures of the client are to the owner of a task.

use std::error::Error;
use std::io;

use malecon_domain::CallFault;
use malecon_ports::CallError;
use rustls::CertificateError;

pub(super) fn fault(fault: CallFault, reason: impl Into<String>) -> CallError {
    CallError { fault, reason: reason.into() }
}

/// The error in words of ours: its own may hold addresses and the whole URL.
pub(super) fn of(error: &reqwest::Error) -> CallError {
    let causes = || std::iter::successors(error.source(), |cause| behind(*cause));
    if let Some(tls) = causes().find_map(|cause| cause.downcast_ref()) {
        return fault(CallFault::Tls, tls_reason(tls));
    }
    if error.is_builder() {
        return fault(CallFault::Invalid, "the request can't be made");
    }
    if error.is_connect() {
        let mut kinds = causes().filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
        let is_refused = kinds.any(|kind| kind == io::ErrorKind::ConnectionRefused);
        return fault(
            CallFault::Connect,
            match (is_refused, error.is_timeout()) {
                (true, _) => "the target refuses connections",
                (false, true) => "no connection in time",
                (false, false) => "no connection",
            },
        );
    }
    let reason = if error.is_decode() || error.is_body() {
        "the body broke off, or can't be decoded"
    } else {
        "the connection broke, or what came was not HTTP"
    };
    fault(CallFault::Broken, reason)
}

/// What lies behind a cause: an I/O error passes over the one that it holds.
fn behind<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(held) => Some(held),
        None => cause.source(),
    }
}

fn tls_reason(error: &rustls::Error) -> &'static str {
    use CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer};
    match error {
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => "the certificate has expired",
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "the certificate is for another host"
        }
        rustls::Error::InvalidCertificate(UnknownIssuer) => "nobody we trust issued the certificate",
        rustls::Error::InvalidCertificate(_) => "the certificate is not valid",
        _ => "the two sides found no encryption",
    }
}
