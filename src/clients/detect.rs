//! Looking at this computer: which clients are here, and how our entry stands in each.
//!
//! Owns: reading. Writes nothing, and a file that cannot be read is told, not skipped.

use super::around::{self, Around};
use super::bundle::{self, Bundle};
use super::entry::{self, NAME};
use super::plan::{differences, is_off};
use super::receipt::Receipt;
use super::{Client, Places, all, edit, place};
use std::path::{Path, PathBuf};

/// A client as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The client.
    pub client: &'static Client,
    /// Whether it seems to be installed.
    pub here: bool,
    /// Its files.
    pub files: Vec<FoundFile>,
    /// Whether several files could be meant, of which the person has to choose one.
    pub several: bool,
    /// Our extensions in it, where it has such.
    pub bundles: Vec<Bundle>,
    /// Entries that reach `CrossTrade` without us, and second entries of ours.
    pub around: Vec<Around>,
}

/// One file of a client.
#[derive(Debug, Clone)]
pub struct FoundFile {
    /// The file.
    pub path: PathBuf,
    /// How our entry stands there.
    pub standing: Standing,
}

/// How our entry stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is no such file, and we never wrote one.
    NoFile,
    /// The file does not name us, and we never wrote it.
    Absent,
    /// As it should be.
    Ours,
    /// Ours, but switched off by the person.
    Off,
    /// We wrote it, and it is gone.
    Lost,
    /// An entry of our name that says something else under these keys.
    Differs(Vec<String>),
    /// The file cannot be read: why.
    Unreadable(String),
    /// Written by hand, so it is not looked at in detail.
    ByHand,
}

impl Found {
    /// Whether our entry is there and on, in all of its files, or our extension is.
    pub fn is_connected(&self) -> bool {
        let written = || self.files.iter().all(|file| file.standing == Standing::Ours);
        self.bundle().is_some() || (!self.files.is_empty() && written())
    }

    /// Our extension, if it is there and on.
    pub fn bundle(&self) -> Option<&Bundle> {
        self.bundles.iter().find(|bundle| bundle.on)
    }

    /// Whether an entry of ours is lost or says something else than it should. One that was lost is not missed where our
    /// extension has taken its place.
    pub fn needs_repair(&self) -> bool {
        if self.bundle().is_some() {
            return false;
        }
        self.files
            .iter()
            .any(|file| matches!(file.standing, Standing::Lost | Standing::Differs(_)))
    }
}

/// The clients that seem to be installed, or that we wrote to.
pub fn detected(places: &Places) -> Vec<Found> {
    all()
        .iter()
        .map(|client| look(client, places))
        .filter(|found| found.here || !found.files.is_empty())
        .collect()
}

/// Looks at one client.
pub fn look(client: &'static Client, places: &Places) -> Found {
    let spots = (client.spots)(places);
    let receipts = Receipt::all_of(places, client.id);
    let here: Vec<PathBuf> = spots
        .iter()
        .filter(|spot| spot.here)
        .map(|spot| spot.file.clone())
        .collect();
    let mut paths = here.clone();
    for receipt in &receipts {
        let path = PathBuf::from(&receipt.file);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut around = Vec::new();
    let files: Vec<FoundFile> = paths
        .into_iter()
        .map(|path| {
            let receipt = receipts.iter().find(|receipt| Path::new(&receipt.file) == path);
            let standing = standing(client, places, &path, receipt, &mut around);
            FoundFile { path, standing }
        })
        .collect();
    for path in (client.also)(places) {
        around.extend(around_in(&path));
    }
    let mut extensions = bundle::look(client, places);
    around.append(&mut extensions.around);
    around.extend(twins(&extensions.ours, &files));
    Found {
        client,
        here: !here.is_empty(),
        files,
        several: spots.iter().filter(|spot| spot.rival).count() > 1,
        bundles: extensions.ours,
        around,
    }
}

/// Which of our extensions are one too many: all that are on, where an entry in a file starts us as well, else all but one.
fn twins(ours: &[Bundle], files: &[FoundFile]) -> Vec<Around> {
    let entry = files
        .iter()
        .any(|file| matches!(file.standing, Standing::Ours | Standing::Differs(_)));
    ours.iter()
        .filter(|bundle| bundle.on)
        .skip(usize::from(!entry))
        .map(Bundle::twin)
        .collect()
}

fn standing(
    client: &Client,
    places: &Places,
    path: &Path,
    receipt: Option<&Receipt>,
    around: &mut Vec<Around>,
) -> Standing {
    let lost = receipt.is_some_and(|receipt| !receipt.leaving);
    if !client.is_written() {
        around.extend(around_in(path));
        return Standing::ByHand;
    }
    // Looking follows any link.
    let met = match place::meet(path, places, true) {
        Ok(met) => met,
        Err(trouble) => return Standing::Unreadable(trouble.to_string()),
    };
    let text = match met.text() {
        Ok(text) => text,
        Err(trouble) => return Standing::Unreadable(trouble.to_string()),
    };
    if met.bytes.is_none() {
        return if lost { Standing::Lost } else { Standing::NoFile };
    }
    let (document, servers) = match (edit::document(client.way, text), edit::servers(client.way, text)) {
        (Ok(document), Ok(servers)) => (document, servers),
        (Err(why), _) | (_, Err(why)) => return Standing::Unreadable(why),
    };
    around.extend(around::in_document(path, &document));
    let Some(there) = servers.get(NAME) else {
        return if lost { Standing::Lost } else { Standing::Absent };
    };
    let different = differences(there, &entry::to_json(&(client.entry)(places)));
    if !different.is_empty() {
        return Standing::Differs(different);
    }
    if is_off(there) {
        return Standing::Off;
    }
    Standing::Ours
}

/// What stands in a file that we never write.
fn around_in(path: &Path) -> Vec<Around> {
    let Ok(Some(bytes)) = place::read(path) else {
        return Vec::new();
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Vec::new();
    };
    let end = path.extension().and_then(|end| end.to_str());
    if end == Some("json") {
        return edit::document(super::Way::Json(""), &text)
            .map(|document| around::in_document(path, &document))
            .unwrap_or_default();
    }
    around::in_lines(path, &text)
}
