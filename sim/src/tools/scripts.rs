//! `NinjaScript`: the files of the user, compiling, and the symbols that can be looked up.

use serde_json::{Value, json};

use super::Caller;
use super::args::Args;
use super::jobs::{self, Work};
use super::platform::{Platform, Script};
use crate::market::Refusal;
use crate::service::State;
use crate::{clock, secret};

type Outcome = Result<Value, Refusal>;

/// How long a compilation takes.
const COMPILE_MS: u64 = 800;
/// The largest source.
const MAX_SOURCE: usize = 1 << 20;
/// Folder of each kind of file.
const FOLDERS: [(&str, &str); 3] = [
    ("strategy", "Strategies"),
    ("indicator", "Indicators"),
    ("addon", "AddOns"),
];

/// Symbols of the surface, with base class and meaning.
const SYMBOLS: [(&str, &str, &str); 8] = [
    ("Strategy", "StrategyBase", "Base of all strategies."),
    ("Indicator", "IndicatorBase", "Base of all indicators."),
    ("OnBarUpdate", "Strategy", "Runs on each bar or tick."),
    ("OnStateChange", "Strategy", "Runs when the state changes."),
    ("EnterLong", "Strategy", "Enters a long position at the market."),
    ("EnterShort", "Strategy", "Enters a short position at the market."),
    ("SetStopLoss", "Strategy", "Sets the stop of an entry."),
    ("SMA", "Indicator", "Simple moving average."),
];

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(state: &mut State, caller: &Caller, name: &str, args: &Args) -> Option<Outcome> {
    Some(match name {
        "GetNinjaScriptHelp" => Ok(help(args)),
        "SearchNinjaScriptSymbols" => Ok(search(args)),
        "LookupNinjaScriptSymbol" => lookup(args),
        "ListNinjaScriptFiles" => Ok(list(state, caller, args)),
        "ReadNinjaScriptFile" => read(state, caller, args),
        "ListCompiledSnippets" => Ok(snippets(state, caller)),
        "CompileNinjaScript" => compile(state, caller, args),
        "WriteNinjaScriptFile" => write(state, caller, args),
        "DeleteCompiledSnippet" => delete(state, caller, args),
        _ => return None,
    })
}

fn help(args: &Args) -> Value {
    let topic = args.text("topic").unwrap_or("overview");
    let hits = matching(topic);
    json!({"topic": topic, "text": "NinjaScript is C# on NinjaTrader's bars and orders.", "symbols": hits})
}

fn matching(query: &str) -> Vec<Value> {
    let query = query.to_ascii_lowercase();
    let hit = |(name, _, about): &&(&str, &str, &str)| {
        name.to_ascii_lowercase().contains(&query) || about.to_ascii_lowercase().contains(&query)
    };
    SYMBOLS
        .iter()
        .filter(hit)
        .map(|(name, base, about)| json!({"name": name, "base": base, "summary": about}))
        .collect()
}

fn search(args: &Args) -> Value {
    json!({"symbols": matching(args.text("query").unwrap_or_default())})
}

fn lookup(args: &Args) -> Outcome {
    let name = args.needed("name")?;
    let found = SYMBOLS.iter().find(|(n, _, _)| n.eq_ignore_ascii_case(name));
    let Some((name, base, about)) = found else {
        return Err(Refusal::new("symbol_not_found", format!("no symbol {name:?}")));
    };
    let inherited = if args.flag("include_inherited") == Some(true) {
        matching(base)
    } else {
        Vec::new()
    };
    Ok(json!({"name": name, "base": base, "summary": about, "inherited": inherited}))
}

fn list(state: &State, caller: &Caller, args: &Args) -> Value {
    let kind = args.text("kind");
    let files: Vec<Value> = state
        .platform
        .scripts
        .iter()
        .filter(|((user, _), s)| *user == caller.user && kind.is_none_or(|k| k.eq_ignore_ascii_case(&s.kind)))
        .map(|((_, path), s)| {
            json!({"path": path, "kind": s.kind, "bytes": s.source.len(), "modified": clock::rfc3339(s.written_ms)})
        })
        .collect();
    json!({"files": files})
}

fn read(state: &State, caller: &Caller, args: &Args) -> Outcome {
    let wanted = args
        .text("path")
        .or_else(|| args.text("name"))
        .unwrap_or_default();
    let mut mine = state
        .platform
        .scripts
        .iter()
        .filter(|((user, _), _)| *user == caller.user);
    let found = mine.find(|((_, path), _)| path == wanted || class_of(path) == wanted);
    let Some(((_, path), script)) = found else {
        return Err(Refusal::new("file_not_found", format!("no file {wanted:?}")));
    };
    let digest = secret::sha256_hex(script.source.as_bytes());
    Ok(json!({"path": path, "kind": script.kind, "source": script.source, "sha256": digest}))
}

/// `Strategies/EmaCross.cs` as `EmaCross`.
fn class_of(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".cs").unwrap_or(file)
}

/// Names of the strategy classes that can be run.
pub(crate) fn classes(state: &State, caller: &Caller) -> Vec<String> {
    let files = state
        .platform
        .scripts
        .iter()
        .filter(|((user, _), s)| *user == caller.user && s.kind == "strategy");
    let files = files.map(|((_, path), _)| class_of(path).to_owned());
    let ready = |((user, _), at): &(&(String, String), &u64)| *user == caller.user && **at <= caller.now;
    let snippets = state
        .platform
        .snippets
        .iter()
        .filter(ready)
        .map(|((_, name), _)| name.clone());
    files.chain(snippets).collect()
}

/// A class must be compiled before it runs.
pub(crate) fn must_exist(state: &State, caller: &Caller, class: &str) -> Result<(), Refusal> {
    if classes(state, caller).iter().any(|c| c == class) {
        return Ok(());
    }
    Err(Refusal::new(
        "compile_required",
        format!("no compiled strategy {class:?}"),
    ))
}

fn snippets(state: &State, caller: &Caller) -> Value {
    let ready = state
        .platform
        .snippets
        .iter()
        .filter(|((user, _), at)| *user == caller.user && **at <= caller.now);
    let rows: Vec<Value> = ready
        .map(|((_, name), at)| json!({"class_name": name, "compiled_at": clock::rfc3339(*at)}))
        .collect();
    json!({"snippets": rows})
}

/// What a compiler would complain of first: braces that do not match, and no class.
fn faults(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = 0_i64;
    for (at, line) in source.lines().enumerate() {
        for c in line.chars() {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            if depth < 0 {
                found.push((at + 1, "} without {".to_owned()));
                depth = 0;
            }
        }
    }
    if depth > 0 {
        found.push((source.lines().count(), "} expected".to_owned()));
    }
    if class_in(source).is_none() {
        found.push((1, "no class is declared".to_owned()));
    }
    found
}

/// The name after the first `class`.
fn class_in(source: &str) -> Option<&str> {
    let mut words = source.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.find(|w| *w == "class")?;
    words.find(|w| !w.is_empty())
}

fn source(args: &Args) -> Result<String, Refusal> {
    let source = args.needed("source")?;
    if source.len() > MAX_SOURCE {
        return Err(Refusal::new(
            "invalid_request",
            format!("source is larger than {MAX_SOURCE} bytes"),
        ));
    }
    Ok(source.to_owned())
}

fn compile(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let source = source(args)?;
    let class = args
        .text("class_name")
        .or_else(|| class_in(&source))
        .unwrap_or("Snippet")
        .to_owned();
    check_name(&class)?;
    let in_memory = args.flag("in_memory") == Some(true);
    let errors = faults(&source);
    let good = errors.is_empty();
    let id = compile_job(state, caller, &class, errors);
    let ready = caller.now.saturating_add(COMPILE_MS);
    let mut path = None;
    if in_memory && good {
        Platform::room(state.platform.snippets.len())?;
        state
            .platform
            .snippets
            .insert((caller.user.clone(), class.clone()), ready);
    } else if !in_memory {
        let file = format!("Strategies/{class}.cs");
        store(state, caller, &file, "strategy", source)?;
        path = Some(file);
    }
    Ok(
        json!({"success": true, "job_id": id, "compile_id": id, "class_name": class, "in_memory": in_memory, "path": path}),
    )
}

fn compile_job(state: &mut State, caller: &Caller, class: &str, errors: Vec<(usize, String)>) -> String {
    let id = jobs::start(state, Work::Compile, class, COMPILE_MS, caller);
    if let Some(job) = state.platform.jobs.iter_mut().find(|j| j.id == id) {
        job.errors = errors;
    }
    id
}

fn store(state: &mut State, caller: &Caller, path: &str, kind: &str, source: String) -> Result<(), Refusal> {
    Platform::room(state.platform.scripts.len())?;
    let script = Script {
        kind: kind.to_owned(),
        source,
        written_ms: caller.now,
    };
    state
        .platform
        .scripts
        .insert((caller.user.clone(), path.to_owned()), script);
    Ok(())
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good {
        Ok(())
    } else {
        Err(Refusal::new(
            "invalid_request",
            format!("{name:?} is no class name"),
        ))
    }
}

/// The path inside the user's folder and its kind, from `path` or from `name` and `kind`.
fn target(args: &Args) -> Result<(String, &'static str), Refusal> {
    if let Some(path) = args.text("path") {
        let path = path.replace('\\', "/");
        let found = FOLDERS
            .iter()
            .find(|(_, folder)| path.starts_with(&format!("{folder}/")));
        return match found {
            Some((kind, _)) if !path.contains("..") && path.to_ascii_lowercase().ends_with(".cs") => {
                Ok((path, kind))
            }
            _ => Err(Refusal::new(
                "invalid_request",
                "path must be Strategies/, Indicators/ or AddOns/ and end in .cs",
            )),
        };
    }
    let name = args.needed("name")?;
    let name = name.strip_suffix(".cs").unwrap_or(name);
    check_name(name)?;
    let wanted = args.text("kind").unwrap_or("strategy");
    let found = FOLDERS.iter().find(|(kind, _)| *kind == wanted);
    let (kind, folder) = found.ok_or_else(|| Refusal::new("invalid_request", "unknown kind"))?;
    Ok((format!("{folder}/{name}.cs"), kind))
}

fn write(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let source = source(args)?;
    let (path, kind) = target(args)?;
    let exists = state
        .platform
        .scripts
        .contains_key(&(caller.user.clone(), path.clone()));
    if exists && args.flag("overwrite") != Some(true) {
        return Err(Refusal::new(
            "file_exists",
            format!("{path} exists; overwrite is not set"),
        ));
    }
    let (bytes, errors) = (source.len(), faults(&source));
    let class = class_of(&path).to_owned();
    store(state, caller, &path, kind, source)?;
    let id = compile_job(state, caller, &class, errors);
    Ok(json!({
        "success": true, "path": path, "written": true, "bytes": bytes, "overwritten": exists,
        "compile_triggered": true, "job_id": id,
    }))
}

fn delete(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let name = args.needed("class_name")?;
    match state
        .platform
        .snippets
        .remove(&(caller.user.clone(), name.to_owned()))
    {
        Some(_) => Ok(json!({"success": true, "deleted": name})),
        None => Err(Refusal::new("snippet_not_found", format!("no snippet {name:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_checked_as_far_as_we_can() {
        assert!(faults("class A { void B() { } }").is_empty());
        assert_eq!(faults("class A {\n").len(), 1);
        assert_eq!(faults("}\n").len(), 2);
        assert_eq!(class_in("public class EmaCross : Strategy"), Some("EmaCross"));
    }
}
