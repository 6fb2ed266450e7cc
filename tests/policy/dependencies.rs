//! Who may depend on whom, and which package may wrap which heavy library.

use cargo_metadata::DependencyKind;

use crate::workspace::METADATA;
use crate::{Violation, expect_caught, expect_none};

/// Every package of ours, and the packages of ours that it may name. Arrows point one way.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    // Adapters never see each other.
    ("vault", &["domain"]),
    ("store", &["domain"]),
    ("media", &["domain"]),
    ("coordination", &["domain"]),
    ("providers", &["domain"]),
    // Contracts only: no SQL, Redis or HTTP here.
    ("gateway-actors", &["domain", "vault"]),
    // The outsiders: a misreading of a provider's documents has to be made twice before a test agrees with it.
    ("sandbox", &[]),
    ("loadtests", &["sandbox"]),
    (
        "gateway",
        &["domain", "vault", "store", "media", "coordination", "providers", "gateway-actors", "sandbox"],
    ),
];

/// The same for `[dev-dependencies]`, beside the list above.
const MAY_USE_IN_TESTS: &[(&str, &[&str])] = &[("providers", &["sandbox"])];

/// A library that one package wraps, so that replacing it touches that package alone.
const WRAPPED_BY: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("redis", &["coordination"]),
    ("deadpool-redis", &["coordination"]),
    ("aes-gcm", &["vault"]),
    ("rusty-s3", &["media"]),
    ("actix", &["gateway-actors"]),
    ("governor", &["gateway-actors", "providers"]),
    ("actix-web", &["gateway", "sandbox", "loadtests"]),
    ("reqwest", &["gateway", "providers", "media", "sandbox", "loadtests"]),
];

/// `from` names `to` in its manifest, under any of the three kinds of dependencies and for any platform.
struct Edge {
    from: String,
    to: String,
    only_tests: bool,
}

fn edges() -> Vec<Edge> {
    let ours = METADATA.workspace_packages();
    let edges = ours.iter().flat_map(|package| {
        package.dependencies.iter().map(|dependency| Edge {
            from: package.name.to_string(),
            to: dependency.name.clone(),
            only_tests: dependency.kind == DependencyKind::Development,
        })
    });
    edges.collect()
}

fn allowed(table: &[(&str, &[&str])], from: &str, to: &str) -> bool {
    table.iter().any(|(package, may_use)| *package == from && may_use.contains(&to))
}

fn unknown_packages(ours: &[String]) -> Vec<Violation> {
    let unknown = ours.iter().filter(|name| !MAY_USE.iter().any(|(known, _)| known == name));
    let rule = "every package says who it may depend on";
    unknown
        .map(|name| Violation::new(name, rule, "add it to MAY_USE in tests/policy/dependencies.rs"))
        .collect()
}

fn wrong_arrows(edges: &[Edge]) -> Vec<Violation> {
    let ours = |name: &str| MAY_USE.iter().any(|(known, _)| *known == name);
    let wrong = edges.iter().filter(|edge| {
        ours(&edge.to)
            && !allowed(MAY_USE, &edge.from, &edge.to)
            && !(edge.only_tests && allowed(MAY_USE_IN_TESTS, &edge.from, &edge.to))
    });
    wrong
        .map(|Edge { from, to, .. }| {
            Violation::new(
                format!("{from} → {to}"),
                format!("{from} may not depend on {to}"),
                format!("put a contract into domain and let the gateway hand {from} an implementation"),
            )
        })
        .collect()
}

fn unwrapped(edges: &[Edge]) -> Vec<Violation> {
    let wrong = edges.iter().filter_map(|edge| {
        let (library, wrappers) = WRAPPED_BY.iter().find(|(library, _)| *library == edge.to)?;
        (!wrappers.contains(&edge.from.as_str())).then_some((edge, library, wrappers.join(", ")))
    });
    wrong
        .map(|(edge, library, wrappers)| {
            Violation::new(
                format!("{} → {library}", edge.from),
                format!("{library} is used in {wrappers} only"),
                format!("reach it through {wrappers}, or change WRAPPED_BY and say why"),
            )
        })
        .collect()
}

#[test]
fn every_package_is_in_the_table_and_the_table_names_no_other() {
    let mut ours: Vec<String> =
        METADATA.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    expect_none(&unknown_packages(&ours));
    let mut table: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    ours.sort();
    table.sort_unstable();
    assert_eq!(ours, table);
}

#[test]
fn arrows_point_one_way() {
    expect_none(&wrong_arrows(&edges()));
}

#[test]
fn a_heavy_library_has_one_wrapper() {
    expect_none(&unwrapped(&edges()));
}

fn edge(from: &str, to: &str, only_tests: bool) -> Edge {
    Edge { from: from.into(), to: to.into(), only_tests }
}

#[test]
fn an_arrow_the_wrong_way_is_caught() {
    let edges = [
        edge("store", "domain", false),
        edge("domain", "store", false),
        edge("store", "vault", true),
        edge("gateway-actors", "providers", false),
        edge("sandbox", "domain", true),
        edge("providers", "sandbox", true),
        edge("providers", "sandbox", false),
        edge("gateway", "loadtests", true),
    ];
    let caught = [
        "domain → store",
        "store → vault",
        "gateway-actors → providers",
        "sandbox → domain",
        "providers → sandbox",
        "gateway → loadtests",
    ];
    expect_caught(&wrong_arrows(&edges), &caught);
}

#[test]
fn a_library_outside_its_wrapper_is_caught() {
    let edges = [
        edge("store", "sqlx", false),
        edge("gateway", "sqlx", true),
        edge("providers", "actix", false),
        edge("domain", "actix-web", false),
        edge("gateway", "serde", false),
    ];
    expect_caught(&unwrapped(&edges), &["gateway → sqlx", "providers → actix", "domain → actix-web"]);
}

#[test]
fn a_package_without_a_place_is_caught() {
    expect_caught(&unknown_packages(&["domain".into(), "helpers".into()]), &["helpers"]);
}
