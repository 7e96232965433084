//! Text folding: how names are compared when people search and sort.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Folds case alone, however letters with accents are composed.
///
/// ```
/// assert_eq!(malecon_domain::text::fold_case("GROSSER Ñandú"), malecon_domain::text::fold_case("großer ÑANDÚ"));
/// assert_ne!(malecon_domain::text::fold_case("Jose"), malecon_domain::text::fold_case("José"));
/// ```
pub fn fold_case(text: &str) -> String {
    // By way of capitals, some letters are spelt with two: `ß`.
    text.nfc().collect::<String>().to_uppercase().to_lowercase().nfc().collect()
}

/// Folds case and accents, so that `Åland`, `ALAND` and `aland` are the same text.
///
/// Compatibility decomposition, combining marks dropped, lower case, and the Latin letters that do
/// not decompose (`ø`, `ł`, `ß`, …) spelt with plain ones. Other scripts keep their letters.
///
/// ```
/// assert_eq!(malecon_domain::text::fold("Curaçao"), "curacao");
/// assert_eq!(malecon_domain::text::fold("Łódź"), "lodz");
/// ```
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        for lower in letter.to_lowercase() {
            match lower {
                'ß' => folded.push_str("ss"),
                'æ' => folded.push_str("ae"),
                'œ' => folded.push_str("oe"),
                'ø' => folded.push('o'),
                'ł' => folded.push('l'),
                'đ' | 'ð' => folded.push('d'),
                'þ' => folded.push_str("th"),
                'ı' => folded.push('i'),
                '’' | 'ʻ' | 'ʼ' => folded.push('\''),
                other if is_combining_mark(other) => {}
                other => folded.push(other),
            }
        }
    }
    folded
}
