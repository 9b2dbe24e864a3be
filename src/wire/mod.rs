//! Bytes: line framing, the JSON-RPC envelope, the strict JSON reader, server-sent events, and the HTTP headers
//! that the protocol reads and writes.
//!
//! Owns: the shape of messages, without loss. Refuses to know: what a message is for, who may send it, any clock and
//! any I/O. May call: nothing but `std`, serde, `serde_json` and base64.

pub mod envelope;
pub mod frame;
pub mod headers;
pub mod json;
pub mod mirror;
mod run;
pub mod sse;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Walks the sources of this room below `folder` and calls `look` with each.
    fn sources(folder: &Path, look: &mut impl FnMut(&Path, &str)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, look);
            } else {
                look(&path, &std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn this_room_stays_free_of_io() {
        let mut count = 0;
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire"),
            &mut |path, text| {
                // What stands after the tests begin is not part of the program.
                let program = text.split("#[cfg(test)]").next().unwrap_or_default();
                let of_tests = path.file_name().is_some_and(|name| name == "tests.rs");
                for foreign in [
                    "tokio", "reqwest", "hyper", "std::fs", "std::io", "std::net", "std::env", "Instant",
                    "crate::",
                ] {
                    assert!(
                        of_tests || !program.contains(foreign),
                        "{}: {foreign}",
                        path.display()
                    );
                }
                count += 1;
            },
        );
        assert!(count > 10, "{count}");
    }
}
