//! `completions` and `man`: made by the program, looked at by the programs that use them.

use super::*;
use crate::support::folder::Folder;
use std::process::{Command, Stdio};

/// Runs a checker on a script: what it complains of. Not every machine has every shell: zsh and fish may be missing.
fn checked(program: &str, words: &[&str], file: &std::path::Path) -> String {
    let output = Command::new(program)
        .args(words)
        .arg(file)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(_) if ["zsh", "fish"].contains(&program) => return String::new(),
        Err(error) => panic!("`{program}` is not installed: apt-get install {program} ({error})"),
    };
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn five_shells_get_a_script_that_they_can_read() {
    let home = Home::new();
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script, err) = home.run(&["completions", shell]).await;
        assert_eq!((code, err.as_str()), (0, ""), "{shell}");
        for word in ["acknowledge", "diagnostics", "no-browser"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        let file = folder.path().join(shell);
        std::fs::write(&file, &script).unwrap();
        match shell {
            "bash" => assert_eq!(checked("bash", &["-n"], &file), ""),
            "zsh" | "fish" => {
                checked(shell, &["-n"], &file);
            }
            _ => {}
        }
    }
    // What bash makes of it, word by word.
    let ask = format!(
        "source {}; COMP_WORDS=(countersign halt --js); COMP_CWORD=2; _countersign countersign --js halt; echo \"${{COMPREPLY[@]}}\"",
        folder.path().join("bash").display()
    );
    let told = Command::new("bash").args(["-c", &ask]).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "--json", "{told:?}");
    let (code, _, err) = home.run(&["completions", "tcsh"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(!home.folder().join("logs").exists(), "nothing is left behind");
}

/// Packages are built where there is no home folder.
#[tokio::test]
async fn they_need_no_home() {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["completions", "bash"])
        .env_clear()
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn each_verb_has_a_page_and_groff_finds_nothing_wrong_with_it() {
    let home = Home::new();
    let folder = Folder::new();
    let to = folder.path().join("man1");
    let (code, out, err) = home.run(&["man", "--to", &to.display().to_string()]).await;
    assert_eq!(code, 0, "{out}{err}");
    let mut names: Vec<String> = std::fs::read_dir(&to)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    for name in [
        "countersign.1",
        "countersign-login.1",
        "countersign-policy-reset-counters.1",
        "countersign-journal-verify.1",
    ] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    for name in &names {
        let page = to.join(name);
        let complaints = checked("groff", &["-man", "-ww", "-z", "-Tutf8"], &page);
        assert_eq!(complaints, "", "{name}");
    }
    let (code, all, _) = home.run(&["man"]).await;
    assert_eq!(code, 0);
    assert_eq!(all.matches(".TH ").count(), names.len());
    for words in [
        "EXIT STATUS",
        "COUNTERSIGN_HOME",
        "No verb, flag or variable approves an order",
    ] {
        assert!(all.contains(words), "{words}");
    }
    let (code, _, err) = home.run(&["man", "--to", "/dev/null/no"]).await;
    assert_eq!(code, 1, "{err}");
}
