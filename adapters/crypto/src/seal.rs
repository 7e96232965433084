//! Seals: XChaCha20-Poly1305 under keys derived with HKDF.

use chacha20poly1305::aead::{Aead, Generate, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use malecon_ports::{Sealer, SecretError, SigningKey};
use sha2::Sha256;

/// What keys are derived for: the same secret signs tokens, and nothing of one use helps the other.
const PURPOSE: &[u8] = b"malecon seal, version 1";
const NONCE_BYTES: usize = 24;

/// Seals with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha); a seal is a random nonce and the
/// ciphertext with its tag.
#[derive(Clone, Copy, Debug, Default)]
pub struct XChaChaSealer;

fn cipher(key: &SigningKey) -> Option<XChaCha20Poly1305> {
    let mut derived = Key::default();
    Hkdf::<Sha256>::new(None, &key.0).expand(PURPOSE, &mut derived).ok()?;
    Some(XChaCha20Poly1305::new(&derived))
}

impl Sealer for XChaChaSealer {
    fn seal(&self, text: &str, keys: &[SigningKey]) -> Result<Vec<u8>, SecretError> {
        let cipher = keys.first().and_then(cipher);
        let cipher = cipher.ok_or_else(|| SecretError::Failed("there is no key to seal with".into()))?;
        let nonce = XNonce::try_generate().map_err(|error| SecretError::Failed(error.into()))?;
        let sealed = cipher.encrypt(&nonce, text.as_bytes());
        let sealed = sealed.map_err(|_| SecretError::Failed("the text is too long".into()))?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn open(&self, sealed: &[u8], keys: &[SigningKey]) -> Option<String> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let nonce = XNonce::from(*nonce);
        let text = keys.iter().filter_map(cipher).find_map(|cipher| cipher.decrypt(&nonce, sealed).ok())?;
        String::from_utf8(text).ok()
    }
}
