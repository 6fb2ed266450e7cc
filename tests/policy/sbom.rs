//! The bill of materials: CycloneDX 1.5, from the lock file. `scripts/sbom` has it written.
//!
//! It holds no time and no random serial number: the same lock file gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::{env, fs};

use cargo_metadata::{Package, PackageId};
use serde_json::{Value, json};

use crate::workspace::{Locked, METADATA, lock, root};

/// What the image runs on; packages for other systems are locked too, but never part of it.
const IMAGE_PLATFORM: &str = "x86_64-unknown-linux-gnu";
const PRODUCT: &str = "gateway";

fn reference(package: &Package) -> String {
    format!("{}@{}", package.name, package.version)
}

/// The packages whose code is in the binary, as references. Asked of `cargo tree`, which follows features as the
/// build does; the metadata also lists optional packages that no feature turns on.
fn shipped() -> BTreeSet<String> {
    let tree = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--locked", "--package", PRODUCT, "--edges", "normal,no-proc-macro"])
        .args(["--target", IMAGE_PLATFORM, "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).expect("package names are UTF-8");
    let names = lines.lines().filter_map(|line| line.split_once(" v"));
    names.map(|(name, rest)| format!("{name}@{}", rest.split(' ').next().unwrap_or_default())).collect()
}

fn component(package: &Package, locked: &[Locked], shipped: &BTreeSet<String>) -> Value {
    let mut component = json!({
        "type": if package.name == PRODUCT { "application" } else { "library" },
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
        "scope": if shipped.contains(&reference(package)) { "required" } else { "excluded" },
    });
    if let Some(licence) = &package.license {
        let expression = licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    let version = package.version.to_string();
    let entry = locked.iter().find(|entry| package.name == entry.name && version == entry.version);
    if let Some(checksum) = entry.and_then(|entry| entry.checksum.as_deref()) {
        component["purl"] = json!(format!("pkg:cargo/{}@{version}", package.name).replace('+', "%2B"));
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

fn bill_of_materials() -> Value {
    let locked = lock();
    let shipped = shipped();
    let names: BTreeMap<&PackageId, String> =
        METADATA.packages.iter().map(|package| (&package.id, reference(package))).collect();
    let mut packages: Vec<&Package> = METADATA.packages.iter().collect();
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    let (product, others): (Vec<_>, Vec<_>) =
        packages.into_iter().partition(|package| package.name == PRODUCT);
    let mut dependencies: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for node in METADATA.resolve.iter().flat_map(|resolve| &resolve.nodes) {
        dependencies.insert(&names[&node.id], node.dependencies.iter().map(|id| &names[id]).collect());
    }
    let list = |packages: Vec<&Package>| -> Vec<Value> {
        packages.into_iter().map(|package| component(package, &locked, &shipped)).collect()
    };
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": list(product)[0] },
        "components": list(others),
        "dependencies": dependencies
            .into_iter()
            .map(|(from, to)| json!({ "ref": from, "dependsOn": to }))
            .collect::<Vec<_>>(),
    })
}

/// What the format's schema demands of the parts that we write, and that references lead somewhere.
fn faults(bill: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |holds: bool, fault: String| {
        if !holds {
            faults.push(fault);
        }
    };
    let list = |key: &str| bill[key].as_array().cloned().unwrap_or_default();
    expect(bill["bomFormat"] == "CycloneDX" && bill["specVersion"] == "1.5", "format".into());
    expect(bill["version"] == 1, "version".into());

    let mut references = BTreeSet::new();
    for component in std::iter::once(bill["metadata"]["component"].clone()).chain(list("components")) {
        let text = |key: &str| component[key].as_str().filter(|text| !text.is_empty());
        let name = text("bom-ref").unwrap_or("a component without bom-ref").to_owned();
        expect(references.insert(name.clone()), format!("{name}: twice"));
        expect(text("name").is_some() && text("version").is_some(), format!("{name}: name or version"));
        expect(matches!(text("type"), Some("application" | "library")), format!("{name}: type"));
        expect(matches!(text("scope"), Some("required" | "excluded")), format!("{name}: scope"));
        expect(component["licenses"][0]["expression"].is_string(), format!("{name}: licence"));
        let hash = &component["hashes"][0];
        let digits = hash["content"].as_str().unwrap_or_default();
        let is_hash =
            hash["alg"] == "SHA-256" && digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit());
        expect(text("purl").is_none() || is_hash, format!("{name}: hash"));
    }
    let mut described = BTreeSet::new();
    for dependency in list("dependencies") {
        let from = dependency["ref"].as_str().unwrap_or_default().to_owned();
        let to = dependency["dependsOn"].as_array().cloned().unwrap_or_default();
        let known = |value: &Value| value.as_str().is_some_and(|name| references.contains(name));
        expect(known(&dependency["ref"]) && to.iter().all(known), format!("{from}: depends on the unknown"));
        described.insert(from);
    }
    expect(described == references, "dependencies do not cover the components".into());
    faults
}

#[test]
fn the_bill_of_materials_is_whole() {
    let bill = bill_of_materials();
    assert_eq!(faults(&bill), Vec::<String>::new());

    let components = bill["components"].as_array().expect("a list");
    assert_eq!(components.len() + 1, lock().len(), "every locked package is listed");
    let scope = |name: &str| {
        components
            .iter()
            .find(|component| component["name"] == name)
            .map(|component| component["scope"].clone())
    };
    assert_eq!(scope("sqlx"), Some(json!("required")));
    assert_ne!(scope("sqlx-mysql"), Some(json!("required")), "locked, but no feature turns it on");
    assert_eq!(scope("fantoccini"), Some(json!("excluded")), "browser tests are not shipped");

    if let Some(path) = env::var_os("GATEWAY_SBOM") {
        let text = serde_json::to_string_pretty(&bill).expect("JSON") + "\n";
        fs::write(&path, text).expect("the bill of materials can be written");
    }
}

#[test]
fn a_faulty_bill_is_caught() {
    let sound = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": "a@1", "name": "a", "version": "1", "scope": "required",
            "licenses": [{ "expression": "MIT" }],
        } },
        "components": [],
        "dependencies": [{ "ref": "a@1", "dependsOn": [] }],
    });
    assert_eq!(faults(&sound), Vec::<String>::new());
    let breaks: [(&str, Value); 6] = [
        ("/specVersion", json!("9")),
        ("/metadata/component/bom-ref", json!("")),
        ("/metadata/component/licenses", json!([])),
        ("/metadata/component/scope", json!("maybe")),
        ("/dependencies/0/dependsOn", json!(["b@1"])),
        ("/dependencies", json!([])),
    ];
    for (pointer, value) in breaks {
        let mut broken = sound.clone();
        *broken.pointer_mut(pointer).expect("the pointer leads somewhere") = value;
        assert_ne!(faults(&broken), Vec::<String>::new(), "{pointer}");
    }
    let mut unhashed = sound;
    unhashed["metadata"]["component"]["purl"] = json!("pkg:cargo/a@1");
    assert_eq!(faults(&unhashed), ["a@1: hash"]);
}
