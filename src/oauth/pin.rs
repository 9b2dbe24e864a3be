//! What makes a PIN good enough, and PINs that we offer.
//!
//! Owns: the rules and the list of words. Refuses to know: where a PIN is used.

use super::secret::random;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The least number of characters, blanks at the ends not counted.
const MIN_CHARS: usize = 12;
/// The greatest: beyond it nobody types the same twice.
const MAX_CHARS: usize = 256;
/// The least number of different characters, and of words where it is made of words.
const MIN_DIFFERENT: usize = 6;
const OFFERED_WORDS: usize = 5;

/// What everybody tries first; compared without letter case, digits and signs.
const COMMON: [&str; 34] = [
    "password",
    "passwort",
    "passphrase",
    "passcode",
    "letmein",
    "letmeinplease",
    "welcome",
    "qwerty",
    "qwertz",
    "qwertyuiop",
    "qwertzuiop",
    "azerty",
    "asdfghjkl",
    "iloveyou",
    "admin",
    "administrator",
    "changeme",
    "trustno",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "superman",
    "batman",
    "sunshine",
    "princess",
    "countersign",
    "crosstrade",
    "ninjatrader",
    "secret",
    "supersecret",
    "mypassword",
    "correcthorsebatterystaple",
    "opensesame",
];

/// The PIN as it is worked with: no blanks at the ends, one blank between words.
pub(super) fn normal(pin: &SecretString) -> SecretString {
    let words: Vec<&str> = pin.expose_secret().split_whitespace().collect();
    SecretString::from(words.join(" "))
}

/// Checks a new PIN: five words or 12 characters, and nothing that everybody tries first.
///
/// # Errors
/// With what is wrong; never with the PIN.
pub fn check_pin(pin: &SecretString) -> Result<(), String> {
    let pin = normal(pin);
    let pin = pin.expose_secret();
    let length = pin.chars().count();
    if length < MIN_CHARS {
        return Err(format!("it needs at least {MIN_CHARS} characters, or five words"));
    }
    if length > MAX_CHARS {
        return Err(format!("it has more than {MAX_CHARS} characters"));
    }
    let lower = Zeroizing::new(pin.to_lowercase());
    let different: std::collections::BTreeSet<char> = lower.chars().filter(|c| *c != ' ').collect();
    if different.len() < MIN_DIFFERENT {
        return Err(format!("it has fewer than {MIN_DIFFERENT} different characters"));
    }
    if repeats(&lower) {
        return Err("it repeats itself".to_owned());
    }
    if is_sequence(&lower) {
        return Err("it is a run of neighbouring characters".to_owned());
    }
    let letters: Zeroizing<String> = Zeroizing::new(lower.chars().filter(|c| c.is_alphabetic()).collect());
    let rest = COMMON.iter().fold(letters.to_string(), |rest, word| {
        if letters.as_str() == *word {
            String::new()
        } else {
            rest.replace(word, "")
        }
    });
    let rest = Zeroizing::new(rest);
    let others = lower.chars().filter(|c| !c.is_alphabetic() && *c != ' ').count();
    if letters.chars().count() > rest.chars().count() && rest.chars().count() + others / 2 < 8 {
        return Err("it is little more than a word that everybody tries first".to_owned());
    }
    Ok(())
}

/// Whether it is one piece of at most half its length, over and over.
fn repeats(text: &str) -> bool {
    let chars: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().filter(|c| *c != ' ').collect());
    (1..=chars.len() / 2).any(|step| chars.iter().zip(chars.iter().skip(step)).all(|(a, b)| a == b))
}

/// Whether nearly all its characters follow each other in the alphabet, the digits, or a row of keys.
fn is_sequence(text: &str) -> bool {
    const ROWS: [&str; 5] = [
        "01234567890",
        "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiop",
        "asdfghjkl",
        "zxcvbnm",
    ];
    let neighbours = |a: char, b: char| {
        ROWS.iter().any(|row| {
            row.chars()
                .zip(row.chars().skip(1))
                .any(|(one, two)| (one, two) == (a, b) || (two, one) == (a, b))
        })
    };
    let chars: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().filter(|c| *c != ' ').collect());
    let pairs = chars.iter().zip(chars.iter().skip(1));
    let near = pairs.clone().filter(|(a, b)| neighbours(**a, **b)).count();
    near * 4 >= pairs.count() * 3
}

/// Five random words (about 45 bits; with a second of Argon2id per guess, and with the keychain's pepper needed to
/// guess at all).
///
/// # Errors
/// Where the system gives no random numbers.
pub fn offer_pin() -> Result<SecretString, String> {
    let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
    let mut pin = Zeroizing::new(String::new());
    for _ in 0..OFFERED_WORDS {
        let word = loop {
            let bytes: [u8; 2] = random().map_err(|error| error.to_string())?;
            // A value past the last whole multiple would favour the first words: drawn again.
            let (value, count) = (usize::from(u16::from_be_bytes(bytes)), words.len());
            if value < (1 << 16) - (1 << 16) % count {
                break words.get(value % count).copied().unwrap_or_default();
            }
        };
        if !pin.is_empty() {
            pin.push(' ');
        }
        pin.push_str(word);
    }
    Ok(SecretString::from(pin.as_str()))
}

/// Short, common, well apart from each other.
const WORDS: &str = include_str!("words.txt");

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pin: &str) -> bool {
        check_pin(&SecretString::from(pin)).is_ok()
    }

    #[test]
    fn good_pins() {
        for pin in [
            "otter lamp seven brick canoe",
            "T7$kd-92mQpz",
            "Grüne Katze frisst 9 Äpfel",
            "my dragon eats purple pancakes",
        ] {
            assert!(check(pin), "{pin}");
        }
    }

    #[test]
    fn bad_pins() {
        for pin in [
            "",
            "1234",
            "short pin",
            "           a",
            "aaaaaaaaaaaaaa",
            "abababababab",
            "123456789012",
            "abcdefghijklm",
            "qwertyuiop123",
            "password1234",
            "Password!2026",
            "CROSSTRADE-1234",
            "correct horse battery staple",
            "monkeymonkeymonkey",
            "987654321098",
        ] {
            assert!(!check(pin), "{pin}");
        }
    }

    #[test]
    fn offered_pins_are_good_and_differ() {
        let words: std::collections::BTreeSet<&str> = WORDS.split_ascii_whitespace().collect();
        assert_eq!(
            words.len(),
            WORDS.split_ascii_whitespace().count(),
            "no word twice"
        );
        assert!(words.len() >= 512, "{}", words.len());
        let (one, two) = (offer_pin().unwrap(), offer_pin().unwrap());
        assert_eq!(one.expose_secret().split(' ').count(), 5);
        assert!(check_pin(&one).is_ok() && check_pin(&two).is_ok());
        assert_ne!(one.expose_secret(), two.expose_secret());
    }
}
