//! The text of Windows' `Path`: folders between semicolons.
//!
//! Owns: finding, adding and removing a folder in that text. Refuses to know: where the text is kept.

/// The text with the folder at its end; `None` where it has it already.
pub(super) fn with(path: &str, folder: &str) -> Option<String> {
    if path.split(';').any(|one| is_same(one, folder)) {
        return None;
    }
    let gap = if path.is_empty() || path.ends_with(';') {
        ""
    } else {
        ";"
    };
    Some(format!("{path}{gap}{folder}"))
}

/// The text without the folder; `None` where it does not have it. Everything else stays as it is, byte for byte.
pub(super) fn without(path: &str, folder: &str) -> Option<String> {
    let parts: Vec<&str> = path.split(';').collect();
    let kept: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|one| !is_same(one, folder))
        .collect();
    (kept.len() != parts.len()).then(|| kept.join(";"))
}

/// Windows knows no capitals in names of folders, and people put quotes around them.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        text.trim()
            .trim_matches('"')
            .trim_end_matches(['\\', '/'])
            .to_lowercase()
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r"C:\Users\Kim\.countersign\bin";

    #[test]
    fn adding_and_removing_gives_back_the_same_text() {
        for path in ["", r"%USERPROFILE%\bin", r"C:\a;;C:\b", r"C:\a;C:\b"] {
            let after = with(path, OURS).expect("it was not there");
            assert!(after.ends_with(OURS) && after.starts_with(path));
            assert_eq!(without(&after, OURS).as_deref(), Some(path));
        }
    }

    #[test]
    fn a_folder_is_found_however_it_is_spelled() {
        for path in [
            r#"C:\a;"c:\users\kim\.countersign\bin""#,
            r"C:\USERS\Kim\.countersign\bin\;C:\b",
        ] {
            assert_eq!(with(path, OURS), None);
            assert!(
                !without(path, OURS)
                    .expect("it is there")
                    .to_lowercase()
                    .contains("kim")
            );
        }
        assert_eq!(without(r"C:\Users\Kim\.countersign\bin2", OURS), None);
    }
}
