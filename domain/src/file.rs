//! Files that pass through.

#[cfg(test)]
mod tests;

/// What a file is called: no path and nothing that can't be seen, never empty, and no longer than file
/// systems take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Bytes of a name at most.
    pub const LONGEST: usize = 255;
    /// The name of a file that has none.
    pub const NAMELESS: &str = "file";
    /// Bytes of an ending that is kept when a name is cut.
    const LONGEST_ENDING: usize = 16;

    /// What is left of a name that somebody gave.
    pub fn clean(given: &str) -> Self {
        let seen: String = given.chars().filter(|letter| !is_hidden(*letter)).collect();
        let last = seen.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        match last {
            "" | "." | ".." => Self::default(),
            name => Self(cut(name)),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for FileName {
    fn default() -> Self {
        Self(Self::NAMELESS.to_owned())
    }
}

/// Control characters, line and paragraph separators, and what turns the direction of the text around
/// it, so that a name looks like another.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}')
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name that is not too long; its ending stays.
fn cut(name: &str) -> String {
    if name.len() <= FileName::LONGEST {
        return name.to_owned();
    }
    let ending = name.rfind('.').map_or("", |dot| &name[dot..]);
    let ending = if ending.len() <= FileName::LONGEST_ENDING { ending } else { "" };
    let most = FileName::LONGEST - ending.len();
    let room = (0..=most).rev().find(|room| name.is_char_boundary(*room)).unwrap_or_default();
    format!("{}{ending}", &name[..room])
}
