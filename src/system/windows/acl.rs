//! Who besides this user may do what with a file, read from Windows' text form of its permissions (SDDL).
//!
//! Owns: the few words of that language. Refuses to know: files, and how the text is got. What is not understood counts as
//! permission for others.

/// What somebody else may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Others {
    /// Nothing that matters.
    Nothing,
    /// Read it.
    Read,
    /// Write, delete, or give rights to it; or it belongs to somebody else.
    Write,
}

const READ: u32 = 0x1 | GENERIC_READ | GENERIC_ALL;
/// Write, append, delete, change the permissions, take it over.
const WRITE: u32 = 0x2 | 0x4 | 0x1_0000 | 0x4_0000 | 0x8_0000 | GENERIC_WRITE | GENERIC_ALL;
const GENERIC_ALL: u32 = 0x1000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const GENERIC_READ: u32 = 0x8000_0000;

/// Those who can do everything on the machine anyhow: the system, administrators and their built-in account, the
/// installer of Windows' own parts.
const TRUSTED: [&str; 7] = [
    "SY",
    "S-1-5-18",
    "BA",
    "S-1-5-32-544",
    "LA",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
    // The owner, whoever that is; the owner is looked at by name.
    "OW",
];

/// What others than this user (`S-1-…`) may do with the file that has these permissions (owner and DACL).
pub(crate) fn others(sddl: &str, user: &str) -> Others {
    read(sddl, user).unwrap_or(Others::Write)
}

fn read(sddl: &str, user: &str) -> Option<Others> {
    let trusted = |sid: &str| sid == user || TRUSTED.contains(&sid);
    let (owner, list) = sddl.strip_prefix("O:")?.split_once("D:")?;
    if !trusted(owner) {
        return Some(Others::Write);
    }
    let (flags, mut rest) = match list.find('(') {
        Some(at) => list.split_at_checked(at)?,
        None => (list, ""),
    };
    // No list at all lets everybody do everything; an empty one lets nobody.
    if flags.contains("NO_ACCESS_CONTROL") {
        return Some(Others::Write);
    }
    let mut most = Others::Nothing;
    while let Some(inner) = rest.strip_prefix('(') {
        let (entry, after) = inner.split_once(')')?;
        rest = after;
        let mut fields = entry.split(';');
        let (kind, flags, rights) = (fields.next()?, fields.next()?, fields.next()?);
        let sid = fields.nth(2)?;
        // Denials only take away; an entry for what will be made inside does not count for the thing itself.
        let denies = kind.starts_with('D') || kind == "OD" || kind == "XD";
        if denies || pairs(flags).any(|flag| flag == "IO") || trusted(sid) {
            continue;
        }
        if kind != "A" {
            return None;
        }
        let mask = mask(rights)?;
        most = most.max(match mask {
            mask if mask & WRITE != 0 => Others::Write,
            mask if mask & READ != 0 => Others::Read,
            _ => Others::Nothing,
        });
    }
    rest.is_empty().then_some(most)
}

fn pairs(text: &str) -> impl Iterator<Item = &str> {
    (0..text.len())
        .step_by(2)
        .map(move |at| text.get(at..at.saturating_add(2)).unwrap_or("?"))
}

fn mask(rights: &str) -> Option<u32> {
    if let Some(hex) = rights.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).ok();
    }
    let mut mask = 0;
    for right in pairs(rights) {
        mask |= match right {
            "GA" => GENERIC_ALL,
            "GR" => GENERIC_READ,
            "GW" => GENERIC_WRITE,
            "GX" => 0x2000_0000,
            "FA" => 0x1F_01FF,
            "FR" => 0x12_0089,
            "FW" => 0x12_0116,
            "FX" => 0x12_00A0,
            "SD" => 0x1_0000,
            "RC" => 0x2_0000,
            "WD" => 0x4_0000,
            "WO" => 0x8_0000,
            "CC" => 0x1,
            "DC" => 0x2,
            "LC" => 0x4,
            "SW" => 0x8,
            "RP" => 0x10,
            "WP" => 0x20,
            "DT" => 0x40,
            "LO" => 0x80,
            "CR" => 0x100,
            _ => return None,
        };
    }
    Some(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "S-1-5-21-1-2-3-1001";

    #[test]
    fn a_file_in_a_profile_is_its_users_alone() {
        let inherited = format!("O:{ME}D:(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;{ME})");
        assert_eq!(others(&inherited, ME), Others::Nothing);
        // An administrator's files belong to the administrators.
        let elevated = format!("O:BAD:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1f01ff;;;{ME})");
        assert_eq!(others(&elevated, ME), Others::Nothing);
        let built_in = "O:LAD:(A;;FA;;;LA)";
        assert_eq!(others(built_in, "S-1-5-21-1-2-3-500"), Others::Nothing);
        assert_eq!(others(&format!("O:{ME}D:P"), ME), Others::Nothing);
    }

    #[test]
    fn what_others_may_do_is_seen() {
        for (entry, what) in [
            ("(A;;FR;;;WD)", Others::Read),
            ("(A;ID;0x1200a9;;;BU)", Others::Read),
            ("(A;;FX;;;WD)", Others::Nothing),
            ("(A;ID;0x1301bf;;;AU)", Others::Write),
            ("(A;;FW;;;BU)", Others::Write),
            ("(A;;SD;;;BU)", Others::Write),
            ("(A;;WDWO;;;S-1-5-21-1-2-3-1002)", Others::Write),
            ("(A;;GA;;;WD)", Others::Write),
            ("(A;OICIIO;GA;;;CO)", Others::Nothing),
            ("(D;;FA;;;WD)(A;;FR;;;AU)", Others::Read),
            // What is not understood.
            ("(XA;;FR;;;WD;(x == 1))", Others::Write),
            ("(A;;ZZ;;;WD)", Others::Write),
            ("(A;;FR", Others::Write),
            ("(A)", Others::Write),
        ] {
            let sddl = format!("O:{ME}D:PAI(A;;FA;;;{ME}){entry}");
            assert_eq!(others(&sddl, ME), what, "{entry}");
        }
        for sddl in [
            "",
            "D:",
            "O:S-1-5-21-1-2-3-1002D:(A;;FA;;;SY)",
            "O:SYD:NO_ACCESS_CONTROL",
        ] {
            assert_eq!(others(sddl, ME), Others::Write, "{sddl}");
        }
    }
}
