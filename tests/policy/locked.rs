//! What may be in the lock file: no banned package, one copy of what must be one copy, one source.

use cargo_metadata::semver::{Prerelease, Version, VersionReq};

use crate::workspace::{Locked, METADATA, lock, parse_lock};
use crate::{Violation, expect_caught, expect_none};

/// Package, versions, and why it has no place here.
const BANNED: &[(&str, &str, &str)] = &[
    ("openssl-sys", "*", "TLS is rustls with ring: look for a feature that names rustls"),
    ("native-tls", "*", "TLS is rustls with ring: look for a feature that names rustls"),
    ("aws-lc-rs", "*", "a second cipher provider, and a minute of building: look for a feature without it"),
    ("aws-lc-sys", "*", "a second cipher provider, and a minute of building: look for a feature without it"),
    ("h2", "<0.4", "RUSTSEC-2026-0258: leave out actix-web's http2 feature"),
    ("rsa", "*", "RUSTSEC-2023-0071: leave out the feature that brings it"),
    ("atomic-polyfill", "*", "RUSTSEC-2023-0089, unmaintained: leave out what brings it"),
    ("chrono", "*", "time is jiff: leave out the feature that brings it"),
    (
        "whatsapp-rust",
        "*",
        "parts carry AGPL notices: a linked-device worker is a process and licence of its own",
    ),
];

/// Two copies of these would not work together, or would double what a reviewer has to trust.
const ONE_COPY: &[&str] = &[
    "actix",
    "actix-web",
    "aes-gcm",
    "deadpool-redis",
    "hyper",
    "redis",
    "reqwest",
    "ring",
    "rustls",
    "serde",
    "sqlx",
    "sqlx-core",
    "tokio",
];

fn name(package: &Locked) -> String {
    format!("{} {}", package.name, package.version)
}

fn banned(lock: &[Locked]) -> Vec<Violation> {
    let hits = lock.iter().filter_map(|package| {
        let version = Version::parse(&package.version).expect("a locked version is a version");
        // A pre-release matches no requirement, so it is judged as the release that it leads to.
        let version = Version { pre: Prerelease::EMPTY, ..version };
        let hit = BANNED.iter().find(|(name, versions, _)| {
            *name == package.name && VersionReq::parse(versions).expect("a requirement").matches(&version)
        });
        hit.map(|(_, _, why)| (package, *why))
    });
    let rule = "banned anywhere in the lock file (`cargo tree --target all -i PACKAGE` says who brings it)";
    hits.map(|(package, why)| Violation::new(name(package), rule, why)).collect()
}

fn several_copies(lock: &[Locked]) -> Vec<Violation> {
    let several = ONE_COPY.iter().filter_map(|only| {
        let copies: Vec<&str> = lock
            .iter()
            .filter(|package| package.name == *only)
            .map(|package| package.version.as_str())
            .collect();
        (copies.len() > 1).then(|| format!("{only} {}", copies.join(", ")))
    });
    let remedy = "choose versions in the workspace manifest that agree on one (`cargo tree -d`)";
    several.map(|who| Violation::new(who, "one copy", remedy)).collect()
}

/// Ours come from the tree, everything else from one registry, with a checksum. No git, no other registry.
fn foreign_sources(lock: &[Locked], ours: &[String]) -> Vec<Violation> {
    // Which registry it is, is checked on the metadata; here, that there is no second one.
    let registry = lock
        .iter()
        .filter_map(|package| package.source.as_deref())
        .find(|source| source.starts_with("registry+"));
    let foreign = lock.iter().filter(|package| match &package.source {
        None => !ours.contains(&package.name),
        Some(source) => Some(source.as_str()) != registry || package.checksum.is_none(),
    });
    let rule = "packages come from the workspace, or with a checksum from the default registry";
    let remedy = "use a released version; a patched copy needs a decision first";
    foreign.map(|package| Violation::new(name(package), rule, remedy)).collect()
}

#[test]
fn nothing_banned_is_locked() {
    expect_none(&banned(&lock()));
}

#[test]
fn there_is_one_copy_of_what_must_be_one() {
    expect_none(&several_copies(&lock()));
}

#[test]
fn every_package_comes_from_the_tree_or_the_default_registry() {
    let ours: Vec<String> =
        METADATA.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    expect_none(&foreign_sources(&lock(), &ours));
    let elsewhere: Vec<&str> = METADATA
        .packages
        .iter()
        .filter(|package| package.source.as_ref().is_some_and(|source| !source.is_crates_io()))
        .map(|package| package.name.as_str())
        .collect();
    assert!(elsewhere.is_empty(), "not from the default registry: {elsewhere:?}");
}

const BROKEN: &str = r#"version = 4

[[package]]
name = "gateway"
version = "0.1.0"

[[package]]
name = "left-behind"
version = "0.1.0"

[[package]]
name = "h2"
version = "0.3.27"
source = "registry+https://registry.example/index"
checksum = "00"

[[package]]
name = "h2"
version = "0.4.20"
source = "registry+https://registry.example/index"
checksum = "00"

[[package]]
name = "rsa"
version = "0.10.0-rc.1"
source = "registry+https://registry.example/index"

[[package]]
name = "redis"
version = "1.8.1"
source = "registry+https://registry.example/index"
checksum = "00"

[[package]]
name = "redis"
version = "2.0.0-rc.1"
source = "git+https://git.example/redis"
"#;

#[test]
fn a_banned_version_is_caught() {
    expect_caught(&banned(&parse_lock(BROKEN)), &["h2 0.3.27", "rsa 0.10.0-rc.1"]);
}

#[test]
fn a_second_copy_is_caught() {
    expect_caught(&several_copies(&parse_lock(BROKEN)), &["redis 1.8.1, 2.0.0-rc.1"]);
}

#[test]
fn a_foreign_source_is_caught() {
    let caught = foreign_sources(&parse_lock(BROKEN), &["gateway".to_owned()]);
    expect_caught(&caught, &["left-behind 0.1.0", "rsa 0.10.0-rc.1", "redis 2.0.0-rc.1"]);
}
