//! Resources as an object file, as every linker for Windows takes it: one section with the tree of the resources, their
//! data behind it, and a relocation for each, because a resource is found by its address in the finished program.

use std::collections::BTreeMap;

/// A resource of the program.
pub(crate) struct Resource {
    pub(crate) kind: u32,
    pub(crate) id: u32,
    pub(crate) data: Vec<u8>,
}

/// The processor that the object file is for.
#[derive(Clone, Copy)]
pub(crate) enum Machine {
    X64,
    Arm64,
}

impl Machine {
    /// Its number, and that of its relocation to an address relative to the start of the program.
    fn numbers(self) -> (u16, u16) {
        match self {
            Self::X64 => (0x8664, 3),
            Self::Arm64 => (0xaa64, 2),
        }
    }
}

/// American English: what Windows falls back to.
const LANGUAGE: u32 = 0x0409;
/// Marks an offset in the tree that leads to another directory.
const DEEPER: u32 = 0x8000_0000;
const DIRECTORY: u32 = 16;
const ENTRY: u32 = 8;
const LEAF: u32 = 16;
/// Where the section begins in the file: behind the file's header and its own.
const SECTION_AT: u32 = 60;
/// Readable data, aligned to 4 bytes.
const SECTION_FLAGS: u32 = 0x4030_0040;

/// The object file.
pub(crate) fn object(machine: Machine, resources: Vec<Resource>) -> Vec<u8> {
    let (section, places) = section(resources);
    let (machine, relocation) = machine.numbers();
    let relocations_at = SECTION_AT + size(&section);
    let symbols_at = relocations_at + 10 * count(&places);
    let mut file = Vec::new();
    put16(&mut file, machine);
    put16(&mut file, 1);
    put32(&mut file, &[0, symbols_at, 1, 0]);
    file.extend(b".rsrc\0\0\0");
    put32(&mut file, &[0, 0, size(&section), SECTION_AT, relocations_at, 0]);
    put16(&mut file, u16::try_from(places.len()).unwrap_or(u16::MAX));
    put16(&mut file, 0);
    put32(&mut file, &[SECTION_FLAGS]);
    file.extend(section);
    for place in places {
        put32(&mut file, &[place, 0]);
        put16(&mut file, relocation);
    }
    // The one symbol is the section itself; the table of longer names is empty.
    file.extend(b".rsrc\0\0\0");
    put32(&mut file, &[0]);
    put16(&mut file, 1);
    put16(&mut file, 0);
    file.extend([3, 0]);
    put32(&mut file, &[4]);
    file
}

/// The section, and where in it the addresses stand that the linker fills in.
fn section(resources: Vec<Resource>) -> (Vec<u8>, Vec<u32>) {
    let mut kinds: BTreeMap<u32, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    for resource in resources {
        kinds
            .entry(resource.kind)
            .or_default()
            .insert(resource.id, resource.data);
    }
    let all: u32 = kinds
        .values()
        .map(|kind| u32::try_from(kind.len()).unwrap_or_default())
        .sum();
    // Level by level: kinds, numbers, languages, leaves, data.
    let numbers_at = DIRECTORY + ENTRY * u32::try_from(kinds.len()).unwrap_or_default();
    let languages_at = numbers_at + DIRECTORY * u32::try_from(kinds.len()).unwrap_or_default() + ENTRY * all;
    let leaves_at = languages_at + (DIRECTORY + ENTRY) * all;
    let data_at = leaves_at + LEAF * all;
    let (mut numbers, mut languages, mut leaves, mut data) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut tree = Vec::new();
    let mut places = Vec::new();
    directory(&mut tree, kinds.len());
    for (kind, resources) in kinds {
        put32(&mut tree, &[kind, DEEPER | (numbers_at + size(&numbers))]);
        directory(&mut numbers, resources.len());
        for (id, bytes) in resources {
            put32(&mut numbers, &[id, DEEPER | (languages_at + size(&languages))]);
            directory(&mut languages, 1);
            let leaf_at = leaves_at + size(&leaves);
            put32(&mut languages, &[LANGUAGE, leaf_at]);
            places.push(leaf_at);
            put32(&mut leaves, &[data_at + size(&data), size(&bytes), 0, 0]);
            data.extend(bytes);
            data.resize(data.len().next_multiple_of(4), 0);
        }
    }
    for part in [numbers, languages, leaves, data] {
        tree.extend(part);
    }
    (tree, places)
}

fn directory(out: &mut Vec<u8>, entries: usize) {
    put32(out, &[0, 0, 0]);
    put16(out, 0);
    put16(out, u16::try_from(entries).unwrap_or(u16::MAX));
}

pub(crate) fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend(number.to_le_bytes());
}

pub(crate) fn put32(out: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        out.extend(number.to_le_bytes());
    }
}

fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn count(places: &[u32]) -> u32 {
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}
