//! The version as the file's properties show it.

use super::coff::{put16, put32};

/// American English, and the number of UTF-16.
const LANGUAGE: u16 = 0x0409;
const UTF16: u16 = 0x04b0;

/// The version resource.
pub(crate) fn info(version: &str, about: &str) -> Vec<u8> {
    let mut parts = version
        .split(['.', '-', '+'])
        .map(|part| part.parse::<u16>().unwrap_or_default())
        .chain(std::iter::repeat(0));
    let mut next = || u32::from(parts.next().unwrap_or_default());
    let (high, low) = ((next() << 16) | next(), next() << 16);
    let mut fixed = Vec::new();
    // Signature, layout, file and product version, flags and their mask, "Windows NT", "a program", no date.
    put32(
        &mut fixed,
        &[
            0xfeef_04bd,
            0x0001_0000,
            high,
            low,
            high,
            low,
            0x3f,
            0,
            0x0004_0004,
            1,
            0,
            0,
            0,
        ],
    );
    let strings = [
        ("FileDescription", about),
        ("FileVersion", version),
        ("InternalName", "countersign"),
        ("OriginalFilename", "countersign.exe"),
        ("ProductName", "Countersign"),
        ("ProductVersion", version),
    ]
    .map(|(name, value)| node(name, &Value::Text(value), &[]));
    let table = node(&format!("{LANGUAGE:04x}{UTF16:04x}"), &Value::None, &strings);
    let mut translation = Vec::new();
    put16(&mut translation, LANGUAGE);
    put16(&mut translation, UTF16);
    let children = [
        node("StringFileInfo", &Value::None, &[table]),
        node(
            "VarFileInfo",
            &Value::None,
            &[node("Translation", &Value::Bytes(translation), &[])],
        ),
    ];
    node("VS_VERSION_INFO", &Value::Bytes(fixed), &children)
}

enum Value<'a> {
    None,
    Text(&'a str),
    Bytes(Vec<u8>),
}

/// A node: its length, the length and kind of its value, its name, value and children, each from a multiple of 4 on.
fn node(name: &str, value: &Value<'_>, children: &[Vec<u8>]) -> Vec<u8> {
    // Bytes are counted as bytes, text in units.
    let (bytes, count, kind) = match value {
        Value::None => (Vec::new(), 0, 1),
        Value::Text(text) => (wide(text), text.encode_utf16().count() + 1, 1),
        Value::Bytes(bytes) => (bytes.clone(), bytes.len(), 0),
    };
    let mut rest = Vec::new();
    put16(&mut rest, u16::try_from(count).unwrap_or(u16::MAX));
    put16(&mut rest, kind);
    rest.extend(wide(name));
    for part in std::iter::once(&bytes).chain(children) {
        // The length in front of it all counts two bytes.
        while (rest.len() + 2) % 4 != 0 {
            rest.push(0);
        }
        rest.extend(part);
    }
    let mut node = Vec::new();
    put16(&mut node, u16::try_from(rest.len() + 2).unwrap_or(u16::MAX));
    node.extend(rest);
    node
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}
