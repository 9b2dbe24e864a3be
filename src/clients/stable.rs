//! The path of the program that outlives an update.
//!
//! Package managers that keep each version in a folder of its own put a link in front of them: an entry with the versioned
//! path would point to nothing after the next update. Owns: which link that is. Refuses to know: what an entry looks like.
//! Only a path that leads to this very file now is ever taken; everything else keeps the program's own path.

use crate::system::Env;
use std::path::{Path, PathBuf};

/// The link that leads to this program and stays where it is, or the program's own path. `real` has no links.
pub(super) fn stable(real: &Path, env: &Env) -> PathBuf {
    let fits = |found: &PathBuf| found.canonicalize().is_ok_and(|leads| leads == real);
    candidates(real, env)
        .into_iter()
        .find(fits)
        .unwrap_or_else(|| real.to_owned())
}

/// Where a package manager would have put it, best first; none where no package manager did.
fn candidates(real: &Path, env: &Env) -> Vec<PathBuf> {
    let Some(file) = real.file_name() else {
        return Vec::new();
    };
    // Where terminals find it by its name.
    let on_path = || -> Vec<PathBuf> {
        let folders = env.text("PATH").map(std::env::split_paths);
        folders
            .into_iter()
            .flatten()
            .filter(|folder| folder.is_absolute() && !folder.starts_with(real.parent().unwrap_or(real)))
            .map(|folder| folder.join(file))
            .collect()
    };
    // Homebrew: PREFIX/Cellar/NAME/VERSION/bin/countersign behind PREFIX/bin and PREFIX/opt/NAME/bin.
    if let Some((prefix, [name, _, rest @ ..])) = after(real, |part| part == "Cellar").as_ref().map(split) {
        let opt: PathBuf = prefix
            .join("opt")
            .join(name)
            .join(rest.iter().collect::<PathBuf>());
        return vec![prefix.join("bin").join(file), opt];
    }
    // Scoop: ROOT\apps\NAME\VERSION\countersign.exe behind ROOT\apps\NAME\current.
    if let Some((root, [name, _, rest @ ..])) = after(real, |part| part == "apps").as_ref().map(split) {
        let current = root.join("apps").join(name).join("current");
        return vec![current.join(rest.iter().collect::<PathBuf>())];
    }
    // winget: …\WinGet\Packages\NAME\countersign.exe behind …\WinGet\Links.
    if let Some((root, _)) = after(real, |part| part == "Packages")
        && root.ends_with("WinGet")
    {
        let mut all = vec![root.join("Links").join(file)];
        all.extend(on_path());
        return all;
    }
    // Nix: a profile's folder.
    if real.starts_with("/nix/store") {
        return on_path();
    }
    Vec::new()
}

/// The folders before the last part of a path that is called so, and the parts after it.
fn after(path: &Path, called: impl Fn(&str) -> bool) -> Option<(PathBuf, Vec<String>)> {
    let parts: Vec<_> = path.components().collect();
    let at = parts
        .iter()
        .rposition(|part| part.as_os_str().to_str().is_some_and(&called))?;
    let (before, from) = parts.split_at_checked(at)?;
    let rest: Option<Vec<String>> = from
        .iter()
        .skip(1)
        .map(|part| part.as_os_str().to_str().map(str::to_owned))
        .collect();
    Some((before.iter().collect(), rest?))
}

fn split(found: &(PathBuf, Vec<String>)) -> (&Path, &[String]) {
    (&found.0, &found.1)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Disk {
        root: PathBuf,
        _keep: tempfile::TempDir,
    }

    impl Disk {
        fn new() -> Self {
            let keep = tempfile::tempdir().unwrap();
            let root = keep.path().canonicalize().unwrap();
            Self { root, _keep: keep }
        }

        fn at(&self, path: &str) -> PathBuf {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        }

        fn program(&self, path: &str) -> PathBuf {
            let path = self.at(path);
            fs::write(&path, "program").unwrap();
            path
        }

        fn link(&self, path: &str, to: &Path) -> PathBuf {
            let path = self.at(path);
            symlink(to, &path).unwrap();
            path
        }
    }

    fn none() -> Env {
        Env::of([])
    }

    #[test]
    fn homebrews_link_is_taken_and_not_the_folder_of_one_version() {
        let disk = Disk::new();
        let real = disk.program("brew/Cellar/countersign/1.2.3/bin/countersign");
        // Nothing leads there yet.
        assert_eq!(stable(&real, &none()), real);
        let opt = disk.link(
            "brew/opt/countersign",
            &disk.root.join("brew/Cellar/countersign/1.2.3"),
        );
        assert_eq!(stable(&real, &none()), opt.join("bin/countersign"));
        let bin = disk.link("brew/bin/countersign", &real);
        assert_eq!(stable(&real, &none()), bin);
        // Another version's link is none of ours.
        let other = disk.program("brew/Cellar/countersign/1.3.0/bin/countersign");
        assert_eq!(stable(&other, &none()), other);
    }

    #[test]
    fn scoops_current_folder_is_taken() {
        let disk = Disk::new();
        let real = disk.program("scoop/apps/countersign/1.2.3/countersign.exe");
        let current = disk.link(
            "scoop/apps/countersign/current",
            &disk.root.join("scoop/apps/countersign/1.2.3"),
        );
        assert_eq!(stable(&real, &none()), current.join("countersign.exe"));
    }

    #[test]
    fn wingets_links_are_taken() {
        let disk = Disk::new();
        let real = disk.program("Microsoft/WinGet/Packages/Us_x/countersign.exe");
        let link = disk.link("Microsoft/WinGet/Links/countersign.exe", &real);
        assert_eq!(stable(&real, &none()), link);
    }

    /// A link that a person made for themselves may go tomorrow: the program's own place is surer.
    #[test]
    fn elsewhere_the_programs_own_path_stays() {
        let disk = Disk::new();
        let real = disk.program("home/code/target/release/countersign");
        let link = disk.link("home/bin/countersign", &real);
        let folder = link.parent().unwrap().to_str().unwrap().to_owned();
        assert_eq!(stable(&real, &Env::of([("PATH", folder.as_str())])), real);
        assert_eq!(stable(&disk.root.join("apps"), &none()), disk.root.join("apps"));
    }
}
