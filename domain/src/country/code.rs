//! Codes that name a country.

/// One of the three ISO 3166-1 codes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CountryCode {
    /// Two letters, upper case.
    Alpha2(String),
    /// Three letters, upper case.
    Alpha3(String),
    /// Three digits.
    Numeric(String),
}

impl CountryCode {
    /// Reads a code in either case; `None` for what no country can be called.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.bytes().all(|b| b.is_ascii_alphabetic());
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        match text.len() {
            2 if letters => Some(Self::Alpha2(text.to_ascii_uppercase())),
            3 if letters => Some(Self::Alpha3(text.to_ascii_uppercase())),
            3 if digits => Some(Self::Numeric(text.to_owned())),
            _ => None,
        }
    }
}
