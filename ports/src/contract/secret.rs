//! The promises of [`PasswordHasher`], [`TokenSigner`] and [`Sealer`].

use malecon_domain::{Instant, Password};

use crate::{Claims, PasswordHasher, Sealer, SigningKey, TokenSigner};

/// Tests of every promise of [`PasswordHasher`] on the adapter that the expression makes.
#[macro_export]
macro_rules! password_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::secret, [
            a_password_fits_its_own_hash,
            hashes_are_salted,
            a_strange_hash_fits_nothing,
        ]);
    };
}

/// Tests of every promise of [`TokenSigner`] on the adapter that the expression makes.
#[macro_export]
macro_rules! signer_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::secret, [
            a_signed_token_is_read_with_its_key,
            another_key_reads_nothing,
            a_changed_token_is_not_read,
            no_other_algorithm_is_read,
        ]);
    };
}

/// Tests of every promise of [`Sealer`] on the adapter that the expression makes.
#[macro_export]
macro_rules! sealer_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::secret, [
            what_is_sealed_is_opened,
            seals_differ,
            a_broken_seal_opens_nothing,
            an_older_key_still_opens,
        ]);
    };
}

fn password(text: &str) -> Password {
    Password::new(text).expect("a password")
}

async fn hash(hasher: &impl PasswordHasher, text: &str) -> String {
    hasher.hash(&password(text)).await.expect("hash")
}

async fn fits(hasher: &impl PasswordHasher, text: &str, hash: &str) -> bool {
    hasher.fits(text, Some(hash.to_owned())).await.expect("fits")
}

/// A password fits its hash; nothing else does.
pub async fn a_password_fits_its_own_hash(hasher: &impl PasswordHasher) {
    let longest = "ß".repeat(Password::LONGEST);
    for text in ["correct horse", "\0 nothing first", "contraseña 🔑", &longest] {
        let hash = hash(hasher, text).await;
        assert!(hash.starts_with('$') && !hash.contains(text), "{hash}");
        assert!(fits(hasher, text, &hash).await, "{text:?}");
        let others = ["", "correct", "Correct horse", "correct horse ", "\0 nothing", &format!("{text}\0")];
        for other in others {
            assert!(!fits(hasher, other, &hash).await, "{other:?} for {text:?}");
        }
    }
}

/// The same password gives another hash each time, and fits each.
pub async fn hashes_are_salted(hasher: &impl PasswordHasher) {
    let (first, second) = (hash(hasher, "correct horse").await, hash(hasher, "correct horse").await);
    assert_ne!(first, second);
    assert!(fits(hasher, "correct horse", &first).await && fits(hasher, "correct horse", &second).await);
}

/// What is no hash of ours, or no hash at all, fits nothing.
pub async fn a_strange_hash_fits_nothing(hasher: &impl PasswordHasher) {
    assert!(!hasher.fits("correct horse", None).await.expect("fits"));
    let cut = hash(hasher, "correct horse").await;
    let strange = [
        "",
        "$",
        "correct horse",
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "$argon2id$v=19$m=19456,t=2,p=1",
        "$argon2id$v=19$m=4294967295,t=4294967295,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=0,t=0,p=0$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &cut[..cut.len() - 1],
        &cut[..cut.len() / 2],
    ];
    for strange in strange {
        assert!(!fits(hasher, "correct horse", strange).await, "{strange:?}");
    }
}

fn key(byte: u8) -> SigningKey {
    SigningKey(vec![byte; 32])
}

fn claims() -> Claims {
    let at = |seconds| Instant::from_timestamp(seconds, 0).expect("an instant");
    Claims {
        issuer: "malecon".to_owned(),
        audience: "programs \"and\" others".to_owned(),
        subject: 9_007_199_254_740_993,
        version: 3,
        session: i64::MAX,
        id: "0193-ä".to_owned(),
        issued_at: at(1_700_000_000),
        not_before: at(1_700_000_001),
        expires_at: at(1_700_000_900),
    }
}

fn sign(signer: &impl TokenSigner, claims: &Claims) -> String {
    signer.sign(claims, &key(1)).expect("sign")
}

/// What was signed is read, long past or far ahead.
pub async fn a_signed_token_is_read_with_its_key(signer: &impl TokenSigner) {
    let far = Instant::from_timestamp(32_503_680_000, 0).expect("an instant");
    let past = Claims { expires_at: Instant::UNIX_EPOCH, subject: -1, ..claims() };
    let ahead = Claims { issued_at: far, not_before: far, expires_at: far, ..claims() };
    for claims in [claims(), past, ahead] {
        let token = sign(signer, &claims);
        assert_eq!(signer.read(&token, &key(1)), Some(claims));
    }
}

/// A token says nothing without its key.
pub async fn another_key_reads_nothing(signer: &impl TokenSigner) {
    let token = sign(signer, &claims());
    for other in [key(2), SigningKey(vec![]), SigningKey(vec![1; 31]), SigningKey(vec![1; 33])] {
        assert_eq!(signer.read(&token, &other), None, "{} bytes", other.0.len());
    }
}

/// A token is read as it was signed or not at all.
pub async fn a_changed_token_is_not_read(signer: &impl TokenSigner) {
    let token = sign(signer, &claims());
    let refuse = |changed: &str| assert_eq!(signer.read(changed, &key(1)), None, "{changed:?}");
    for place in 0..token.len() {
        let (before, after) = (&token[..place], &token[place + 1..]);
        refuse(before);
        refuse(after);
        refuse(&format!("{before}{after}"));
        for letter in ['A', 'B', '.', ' '] {
            refuse(&format!("{before}{letter}{}", &token[place..]));
            if !token[place..].starts_with(letter) {
                refuse(&format!("{before}{letter}{after}"));
            }
        }
    }
    for end in [".", "=", " ", "\n", "\0", "ä", ".A", &format!(".{token}")] {
        refuse(&format!("{token}{end}"));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts: {token}") };
    let other = sign(signer, &Claims { subject: 1, ..claims() });
    let payload_of_other = other.split('.').nth(1).expect("a payload");
    for [header, payload, signature] in [
        [header, payload_of_other, signature],
        [header, payload, ""],
        ["", payload, signature],
        [header, "", signature],
        [payload, header, signature],
    ] {
        refuse(&format!("{header}.{payload}.{signature}"));
    }
}

/// `{"alg":…,"typ":"JWT"}` in base64url, of all but HS256.
const HEADERS: [&str; 8] = [
    // none, None, NONE
    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",
    "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0",
    "eyJhbGciOiJOT05FIiwidHlwIjoiSldUIn0",
    // HS384, HS512, RS256, ES256, EdDSA
    "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9",
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9",
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9",
    "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9",
];

/// Whatever the header says, only HS256 is read; a token without a signature never.
pub async fn no_other_algorithm_is_read(signer: &impl TokenSigner) {
    let token = sign(signer, &claims());
    let (_, rest) = token.split_once('.').expect("a header");
    let (payload, _) = rest.split_once('.').expect("a payload");
    for header in HEADERS {
        for token in
            [format!("{header}.{rest}"), format!("{header}.{payload}."), format!("{header}.{payload}")]
        {
            assert_eq!(signer.read(&token, &key(1)), None, "{token}");
        }
    }
}

fn seal_key(n: u8) -> SigningKey {
    SigningKey(vec![n; 32])
}

fn seal(sealer: &impl Sealer, text: &str, keys: &[SigningKey]) -> Vec<u8> {
    sealer.seal(text, keys).expect("seal")
}

/// Texts come back; the seal shows nothing of them.
pub async fn what_is_sealed_is_opened(sealer: &impl Sealer) {
    let keys = [seal_key(1)];
    for text in ["", "Bearer abc", "contraseña 🔑", &"x".repeat(8_192)] {
        let sealed = seal(sealer, text, &keys);
        assert_eq!(sealer.open(&sealed, &keys).as_deref(), Some(text));
        let shows = |part: &[u8]| sealed.windows(part.len()).any(|window| window == part);
        assert!(text.len() < 3 || !shows(&text.as_bytes()[..3]), "{text:?}");
    }
    assert!(sealer.seal("text", &[]).is_err());
}

/// The same text has another seal each time.
pub async fn seals_differ(sealer: &impl Sealer) {
    let keys = [seal_key(1)];
    assert_ne!(seal(sealer, "text", &keys), seal(sealer, "text", &keys));
}

/// Not one byte may change.
pub async fn a_broken_seal_opens_nothing(sealer: &impl Sealer) {
    let keys = [seal_key(1)];
    let sealed = seal(sealer, "text", &keys);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(sealer.open(&changed, &keys), None, "byte {at}");
        assert_eq!(sealer.open(&sealed[..at], &keys), None, "cut at {at}");
    }
    assert_eq!(sealer.open(&[&sealed[..], b"x"].concat(), &keys), None);
    assert_eq!(sealer.open(&sealed, &[seal_key(2)]), None);
    assert_eq!(sealer.open(&sealed, &[]), None);
}

/// New seals are of the first key; those of others are opened.
pub async fn an_older_key_still_opens(sealer: &impl Sealer) {
    let old = seal(sealer, "text", &[seal_key(1)]);
    let keys = [seal_key(2), seal_key(1)];
    assert_eq!(sealer.open(&old, &keys).as_deref(), Some("text"));
    assert_eq!(sealer.open(&seal(sealer, "text", &keys), &[seal_key(2)]).as_deref(), Some("text"));
}
