//! `WWW-Authenticate` (RFC 9110 section 11.6.1). Real servers write it in many ways: the reader takes what is clear
//! and passes over what is not.

/// The longest header value that is read, in bytes; real ones stay below one KiB.
const MAX_VALUE: usize = 16 * 1024;
/// How many challenges one value may hold, and how many parameters one challenge.
const MAX_COUNT: usize = 32;

/// One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme in lower case, such as `bearer`.
    pub scheme: String,
    /// The parameters: names in lower case, values unquoted. A `token68` stands here under the empty name.
    pub params: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter; of a repeated one the first.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads all challenges of one header value: several challenges, quoted strings with escapes, any order. A value
/// longer than 16 KiB has none.
pub fn challenges(value: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut reader = Reader { rest: value };
    // Whether the last thing read was a scheme and blanks: only there a token68 may stand.
    let mut after_scheme = false;
    if value.len() > MAX_VALUE {
        return found;
    }
    while reader.next_word() {
        let word = reader.run(|byte| is_tchar(byte) || byte == b'/');
        if word.is_empty() {
            reader.skip_one();
            continue;
        }
        match reader.value(word) {
            Part::Param(text) => add(&mut found, &word.to_ascii_lowercase(), text),
            Part::Token68(text) => add(&mut found, "", text),
            Part::Broken => {}
            Part::Word(comma) => {
                if std::mem::take(&mut after_scheme) {
                    add(&mut found, "", word.to_owned());
                } else if found.len() < MAX_COUNT && word.bytes().all(is_tchar) {
                    found.push(Challenge {
                        scheme: word.to_ascii_lowercase(),
                        params: Vec::new(),
                    });
                    after_scheme = !comma;
                }
                continue;
            }
        }
        after_scheme = false;
    }
    found
}

/// Parameters before any scheme belong to nothing and are dropped.
fn add(found: &mut [Challenge], name: &str, value: String) {
    if let Some(challenge) = found
        .last_mut()
        .filter(|challenge| challenge.params.len() < MAX_COUNT)
    {
        challenge.params.push((name.to_owned(), value));
    }
}

/// What a word turns out to be by what follows it.
enum Part {
    /// `word = value`.
    Param(String),
    /// `word=` or `word==` with nothing behind: base64 with its padding.
    Token68(String),
    /// A scheme or a token68; whether a comma (or the end) follows.
    Word(bool),
    /// `word = "…` without an end: what was cut off may matter, so nothing of it counts.
    Broken,
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Passes blanks and separators; false at the end. Semicolons are no separators by the RFC, but are in the field.
    fn next_word(&mut self) -> bool {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',', ';']);
        !self.rest.is_empty()
    }

    fn skip_one(&mut self) {
        if self.rest.starts_with('"') {
            let _ = self.quoted();
            return;
        }
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let length = self.rest.bytes().take_while(|byte| belongs(*byte)).count();
        let (run, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        run
    }

    /// What follows `word`.
    fn value(&mut self, word: &str) -> Part {
        self.skip_blanks();
        let Some(rest) = self.rest.strip_prefix('=') else {
            return Part::Word(self.rest.is_empty() || self.rest.starts_with([',', ';']));
        };
        self.rest = rest;
        self.skip_blanks();
        if self.rest.starts_with('"') {
            return self.quoted().map_or(Part::Broken, Part::Param);
        }
        if self.rest.is_empty() || self.rest.starts_with(['=', ',', ';']) {
            let more = self.run(|byte| byte == b'=');
            return Part::Token68(format!("{word}={more}"));
        }
        // Unquoted URLs occur, so more than a token is taken.
        Part::Param(
            self.run(|byte| !matches!(byte, b' ' | b'\t' | b',' | b';' | b'"'))
                .to_owned(),
        )
    }

    /// Passes a quoted string (RFC 9110 section 5.6.4); `None` if it has no end.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = std::mem::take(&mut self.rest).chars();
        chars.next();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(chars.next()?),
                char => text.push(char),
            }
        }
        self.rest = chars.as_str();
        Some(text)
    }
}

/// A character of a token (RFC 9110 section 5.6.2).
pub(super) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Expected as `scheme name=value|name=value`, one text for each challenge.
    #[track_caller]
    fn check(value: &str, expected: &[&str]) {
        let shown: Vec<String> = challenges(value)
            .iter()
            .map(|challenge| {
                let params: Vec<String> = challenge
                    .params
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!("{} {}", challenge.scheme, params.join("|"))
            })
            .collect();
        assert_eq!(shown, expected, "{value}");
    }

    #[test]
    fn single_challenges() {
        check("Bearer", &["bearer "]);
        check(
            r#"Bearer resource_metadata="https://h/.well-known/x", scope="a b", error="invalid_token""#,
            &["bearer resource_metadata=https://h/.well-known/x|scope=a b|error=invalid_token"],
        );
        check(
            r#"BEARER Realm="a\"b\\c\d, e=f""#,
            &[r#"bearer realm=a"b\cd, e=f"#],
        );
        check(
            "Bearer realm=x,error=insufficient_scope",
            &["bearer realm=x|error=insufficient_scope"],
        );
        check(
            "bearer  realm = \"x\" \t,\t error\t=y",
            &["bearer realm=x|error=y"],
        );
        check("Bearer ,, realm=\"\",", &["bearer realm="]);
        check("Bearer a=1, a=2", &["bearer a=1|a=2"]);
        assert_eq!(challenges("Bearer a=1, a=2")[0].param("a"), Some("1"));
    }

    #[test]
    fn several_challenges_in_one_value() {
        check(
            r#"Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple""#,
            &[
                "newauth realm=apps|type=1|title=Login to \"apps\"",
                "basic realm=simple",
            ],
        );
        check("Negotiate, Bearer scope=\"x\"", &["negotiate ", "bearer scope=x"]);
        check(
            "Negotiate abc+/==, Bearer scope=x",
            &["negotiate =abc+/==", "bearer scope=x"],
        );
        check("Negotiate abc=, NTLM", &["negotiate =abc=", "ntlm "]);
        check("Negotiate abc, NTLM", &["negotiate =abc", "ntlm "]);
        check("NTLM,Negotiate,Bearer", &["ntlm ", "negotiate ", "bearer "]);
        check(", ,Basic realm=a ,Bearer b=c", &["basic realm=a", "bearer b=c"]);
    }

    #[test]
    fn what_is_not_quite_the_grammar_is_still_read() {
        check("Bearer realm=\"x\" error=\"y\"", &["bearer realm=x|error=y"]);
        check("Bearer realm=\"x\"; error=\"y\"", &["bearer realm=x|error=y"]);
        check(
            "Bearer resource_metadata=https://h:1/a?b=c, error=x",
            &["bearer resource_metadata=https://h:1/a?b=c|error=x"],
        );
        check("Bearer realm=\"é\"", &["bearer realm=é"]);
    }

    #[test]
    fn what_is_unclear_is_dropped() {
        check("", &[]);
        check("realm=\"x\"", &[]);
        check("\"Bearer\"", &[]);
        check("Bearer realm=\"cut", &["bearer "]);
        check("Bearer a=1, realm=\"cut\\", &["bearer a=1"]);
        check("é", &[]);
        check("@@@ Bearer a=1", &["bearer a=1"]);
        check("a/b Bearer a=1", &["bearer a=1"]);
        assert_eq!(challenges(&format!("Bearer a=\"{}\"", "x".repeat(MAX_VALUE))), []);
        assert_eq!(challenges(&"B,".repeat(1000)).len(), MAX_COUNT);
        let many: Vec<String> = (0..1000).map(|n| format!("p{n}=1")).collect();
        assert_eq!(
            challenges(&format!("Bearer {}", many.join(",")))[0].params.len(),
            MAX_COUNT
        );
    }

    proptest! {
        #[test]
        fn any_quoted_value_comes_back(value in "[ -~éß]{0,30}", name in "[a-z_]{1,8}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Basic realm=\"r\", Bearer {name}=\"{quoted}\", last=1");
            let found = challenges(&header);
            prop_assert_eq!(found.len(), 2);
            prop_assert_eq!(found[1].param(&name), Some(&*value));
        }

        #[test]
        fn any_text_is_read_without_harm(value in "[Bb=\", \t\\\\é;a/]{0,60}") {
            challenges(&value);
        }
    }
}
