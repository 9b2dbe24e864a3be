//! `journal show|verify|export`.

use super::*;

#[tokio::test]
async fn the_journal_is_shown_verified_and_exported() {
    let place = Place::bare();
    let (code, out, _) = place.run(&["journal", "verify"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("0 lines"), "{out}");
    for _ in 0..3 {
        place.run(&["halt"]).await;
    }
    let (code, out, _) = place.run(&["journal", "show", "--last", "2"]).await;
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    assert!(out.contains("halted"), "{out}");
    let (code, out, _) = place.run(&["journal", "export"]).await;
    assert_eq!((code, out.lines().count()), (0, 3));
    assert_eq!(out, std::fs::read_to_string(place.home.folder().join("state/journal.jsonl")).unwrap());
    let told = place.json(&["journal", "verify"]).await;
    assert_eq!((&told["lines"], &told["faults"]), (&json!(3), &json!([])));
    assert_eq!(told["head"].as_str().map(str::len), Some(64));
}

#[tokio::test]
async fn the_damaged_line_is_named() {
    let place = Place::bare();
    for _ in 0..4 {
        place.run(&["halt"]).await;
    }
    let path = place.home.folder().join("state/journal.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let edited = whole.replacen(lines[2], &lines[2].replace("countersign halt", "countersign hat"), 1);
    let removed = format!("{}\n{}\n{}\n", lines[0], lines[2], lines[3]);
    for (text, line) in [(edited, 3), (removed, 2), (format!("{whole}garbage\n"), 5)] {
        std::fs::write(&path, text).unwrap();
        let (code, out, _) = place.run(&["journal", "verify"]).await;
        assert_eq!(code, 1, "{out}");
        assert!(out.contains(&format!("the first is line {line}")), "{out}");
        assert_eq!(place.json(&["journal", "verify"]).await["faults"][0]["line"], line);
    }
}
