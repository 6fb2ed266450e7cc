//! Rules about the files themselves.

use std::collections::BTreeSet;
use std::path::Path;

use crate::workspace::{FILES, TextFile};
use crate::{Violation, expect_caught, expect_none};

const LONGEST: usize = 500;

/// File and why it is one idea all the same.
const LONGER: &[(&str, &str)] = &[];

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

fn too_long(files: &[TextFile]) -> Vec<Violation> {
    let sources = files.iter().filter(|file| has_extension(&file.path, "rs"));
    let long = sources.filter(|file| {
        file.text.lines().count() > LONGEST && !LONGER.iter().any(|(path, _)| *path == file.path)
    });
    long.map(|file| {
        let rule = format!(
            "{} lines; a file of more than {LONGEST} is more than one idea",
            file.text.lines().count()
        );
        Violation::new(&file.path, rule, "split it by idea, or list it in LONGER with the reason")
    })
    .collect()
}

fn without_shared_lints(files: &[TextFile]) -> Vec<Violation> {
    let manifests =
        files.iter().filter(|file| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml"));
    let without = manifests.filter(|file| {
        let mut lines = file.text.lines().skip_while(|line| *line != "[lints]").skip(1);
        !lines.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true")
    });
    let remedy = "add `[lints]` and under it `workspace = true`";
    without
        .map(|file| Violation::new(&file.path, "every package has the workspace's lints", remedy))
        .collect()
}

/// Words that only make sense on one machine or one network: a clone elsewhere could not use them. In pieces, so
/// that this list does not find itself.
fn local_words() -> Vec<String> {
    let folders = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")];
    let hosts = [
        ("crates", ".io"),
        ("deb.debian", ".org"),
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("npmjs", ".org"),
        ("docker", ".io"),
        ("gcr", ".io"),
        ("ghcr", ".io"),
        ("quay", ".io"),
    ];
    folders.iter().chain(&hosts).map(|(left, right)| [*left, *right].concat()).collect()
}

/// Cargo writes the name of its registry into the lock file; that it is the default one is checked in `locked`.
const WRITTEN_BY_CARGO: &str = "Cargo.lock";

fn local_names(files: &[TextFile]) -> Vec<Violation> {
    let words = local_words();
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.path != WRITTEN_BY_CARGO) {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| stands_alone(line, word)) {
                let rule = format!("names {word:?}, a folder or host of one machine or network");
                let remedy = "say it relative to the tree, or pass it in";
                violations.push(Violation::new(format!("{}:{}", file.path, number + 1), rule, remedy));
            }
        }
    }
    violations
}

/// Not as the tail of a longer word: `network/` is no folder of a machine, nor is `mydocker.io` a registry.
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric()))
}

/// The migrations of one dialect, by file name.
fn migrations(files: &[TextFile], dialect: &str) -> BTreeSet<String> {
    let folder = format!("migrations/{dialect}/");
    files.iter().filter_map(|file| file.path.strip_prefix(&folder)).map(str::to_owned).collect()
}

fn uneven_migrations(files: &[TextFile]) -> Vec<Violation> {
    let (postgres, sqlite) = (migrations(files, "postgres"), migrations(files, "sqlite"));
    let mut violations: Vec<Violation> = postgres
        .symmetric_difference(&sqlite)
        .map(|name| {
            Violation::new(name, "both dialects have the same migrations", "add the other dialect's file")
        })
        .collect();
    for (index, name) in postgres.union(&sqlite).enumerate() {
        let expected = format!("{:04}_", index + 1);
        if !name.starts_with(&expected) || !has_extension(name, "sql") {
            let rule = "migrations are numbered 0001, 0002 … without a gap";
            violations.push(Violation::new(
                name,
                rule,
                format!("rename it to {expected}….sql, in both folders"),
            ));
        }
    }
    if postgres.is_empty() && sqlite.is_empty() {
        violations.push(Violation::new("migrations", "there are migrations", "look where they went"));
    }
    violations
}

/// The names of `GATEWAY__SECTION__KEY` variables in the files that start the gateway in production.
fn unknown_settings(files: &[TextFile]) -> Vec<Violation> {
    let known: BTreeSet<String> = files
        .iter()
        .filter(|file| file.path == "config/default.toml")
        .flat_map(|file| setting_names(&file.text))
        .collect();
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| ["Dockerfile", "compose.yaml"].contains(&file.path.as_str())) {
        for (number, line) in file.text.lines().enumerate() {
            let words = line.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
            for word in words.filter(|word| word.starts_with("GATEWAY__") && !known.contains(*word)) {
                let who = format!("{}:{} {word}", file.path, number + 1);
                violations.push(Violation::new(
                    who,
                    "the settings named here exist",
                    "name a key of config/default.toml",
                ));
            }
        }
    }
    violations
}

/// Keys of the configuration as environment variables; a key without a default stands in a comment: `# key =`.
fn setting_names(toml: &str) -> Vec<String> {
    let mut section = String::new();
    let mut names = Vec::new();
    for line in toml.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            section = name.replace('.', "__");
        } else if let Some((key, _)) = line.trim_start_matches(['#', ' ']).split_once(" =") {
            let name = if section.is_empty() { key.to_owned() } else { format!("{section}__{key}") };
            names.push(format!("GATEWAY__{}", name.to_uppercase()));
        }
    }
    names
}

#[test]
fn a_source_file_holds_one_idea() {
    expect_none(&too_long(&FILES));
}

#[test]
fn every_package_inherits_the_lints() {
    expect_none(&without_shared_lints(&FILES));
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    expect_none(&local_names(&FILES));
}

#[test]
fn both_dialects_have_the_same_migrations() {
    expect_none(&uneven_migrations(&FILES));
}

#[test]
fn the_image_and_compose_name_settings_that_exist() {
    expect_none(&unknown_settings(&FILES));
}

fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.into(), text: text.into() }
}

#[test]
fn a_long_file_is_caught() {
    let files = [
        file("src/long.rs", &"\n".repeat(501)),
        file("src/fine.rs", &"\n".repeat(500)),
        file("a.md", &"\n".repeat(900)),
    ];
    expect_caught(&too_long(&files), &["src/long.rs"]);
}

#[test]
fn a_package_with_lints_of_its_own_is_caught() {
    let files = [
        file("Cargo.toml", "[package]\nname = \"a\"\n[lints]\nworkspace = true\n"),
        file("b/Cargo.toml", "[package]\nname = \"b\"\nversion.workspace = true\n"),
        file("c/Cargo.toml", "[lints]\nrust.unsafe_code = \"allow\"\n[x]\nworkspace = true\n"),
    ];
    expect_caught(&without_shared_lints(&files), &["b/Cargo.toml", "c/Cargo.toml"]);
}

#[test]
fn the_name_of_a_machine_or_a_registry_is_caught() {
    let [folder, .., host] = &local_words()[..] else { panic!("the list has several words") };
    let text = format!("network/ and net{folder}main\nsee {folder}main\nor (https://{host}/x)");
    expect_caught(
        &local_names(&[file("README.md", &text), file("Cargo.lock", &text)]),
        &["README.md:2", "README.md:3"],
    );
}

#[test]
fn uneven_and_misnumbered_migrations_are_caught() {
    let files = [
        file("migrations/README.md", ""),
        file("migrations/postgres/0001_businesses.sql", ""),
        file("migrations/sqlite/0001_businesses.sql", ""),
        file("migrations/postgres/0003_messages.sql", ""),
    ];
    expect_caught(&uneven_migrations(&files), &["0003_messages.sql", "0003_messages.sql"]);
    expect_caught(&uneven_migrations(&[]), &["migrations"]);
}

#[test]
fn a_setting_that_does_not_exist_is_caught() {
    let files = [
        file("config/default.toml", "[store]\nurl = \"x\"\n[http.public]\n# A reason.\n# listen = \"…\"\n"),
        file(
            "Dockerfile",
            "ENV GATEWAY__HTTP__PUBLIC__LISTEN=a GATEWAY__STORE__URL=b\nENV GATEWAY__STORE__URI=c",
        ),
        file("src/other.rs", "GATEWAY__NOT__LOOKED__AT"),
    ];
    expect_caught(&unknown_settings(&files), &["Dockerfile:2 GATEWAY__STORE__URI"]);
}
