//! The house plan holds: who may depend on whom, and what every crate inherits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Each crate and the crates of ours that it may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("malecon-domain", &[]),
    ("malecon-ports", &["malecon-domain"]),
    ("malecon-memory", &["malecon-domain", "malecon-ports"]),
    ("malecon-sql", &["malecon-domain", "malecon-ports"]),
    ("malecon-redis", &["malecon-ports"]),
    ("malecon-queue", &["malecon-domain", "malecon-ports"]),
    ("malecon-upstream", &["malecon-domain", "malecon-ports"]),
    ("malecon-crypto", &["malecon-domain", "malecon-ports"]),
    ("malecon-snapshot", &["malecon-domain", "malecon-ports"]),
    ("malecon-sheet", &["malecon-domain", "malecon-ports"]),
    ("malecon-mail", &["malecon-domain", "malecon-ports"]),
    ("malecon", &["malecon-domain", "malecon-ports"]),
    ("malecon-http", &["malecon"]),
    (
        "malecon-server",
        &[
            "malecon",
            "malecon-crypto",
            "malecon-http",
            "malecon-mail",
            "malecon-memory",
            "malecon-queue",
            "malecon-redis",
            "malecon-sheet",
            "malecon-snapshot",
            "malecon-sql",
            "malecon-upstream",
        ],
    ),
    ("malecon-tests", &[]),
];

/// Each file of ports, and the suites of its promises.
const SUITES: &[(&str, &[&str])] = &[
    ("activity", &["activity"]),
    ("cache", &["cache"]),
    ("country", &["country"]),
    ("dog", &["dog"]),
    ("limit", &["limit"]),
    ("lock", &["lock"]),
    ("movie", &["movie"]),
    ("run", &["run"]),
    ("secret", &["secret"]),
    ("task", &["schedule", "task"]),
    ("user", &["key", "session", "token", "user"]),
];

/// Libraries that one crate alone may name.
const OWNED: &[(&str, &str)] = &[
    ("sea-orm", "malecon-sql"),
    ("sea-orm-migration", "malecon-sql"),
    ("fred", "malecon-redis"),
    ("graphile_worker", "malecon-queue"),
    ("lettre", "malecon-mail"),
    ("reqwest", "malecon-upstream"),
    ("reqwest-middleware", "malecon-upstream"),
    ("reqwest-retry", "malecon-upstream"),
    ("rust_xlsxwriter", "malecon-sheet"),
    ("argon2", "malecon-crypto"),
    ("jsonwebtoken", "malecon-crypto"),
    ("poem-openapi", "malecon-http"),
    ("clap", "malecon-server"),
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The normal dependencies of a package.
fn normal(package: &Value) -> impl Iterator<Item = &Value> {
    package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null())
}

#[test]
fn arrows_point_inward() {
    let allowed: BTreeMap<_, BTreeSet<_>> =
        EDGES.iter().map(|(name, to)| (*name, to.iter().copied().collect())).collect();
    let packages = packages();
    assert_eq!(packages.len(), EDGES.len());
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let found: BTreeSet<_> =
            normal(package).filter_map(|d| d["name"].as_str()).filter(|d| d.starts_with("malecon")).collect();
        assert_eq!(
            Some(&found),
            allowed.get(name),
            "{name}: a new edge changes the table in the same commit"
        );
    }
}

#[test]
fn each_library_has_its_owner() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        for (library, owner) in OWNED {
            let names_it = normal(&package).any(|dependency| dependency["name"] == *library);
            assert!(!names_it || name == *owner, "{name} names {library}, which is {owner}'s");
        }
    }
}

#[test]
fn the_core_needs_no_runtime() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        if ["malecon-domain", "malecon-ports", "malecon"].contains(&name) {
            // The services write what they keep in a cache as JSON; nobody else sees it.
            let serialises = |library: &str| library == "serde" && name != "malecon";
            let banned = normal(&package).find(|dependency| {
                let library = dependency["name"].as_str().unwrap();
                ["tokio", "poem"].contains(&library) || serialises(library)
            });
            assert!(banned.is_none(), "{name} names {}", banned.unwrap()["name"]);
        }
    }
}

#[test]
fn every_crate_inherits_the_lints_and_turns_on_no_test_help() {
    for package in packages() {
        let manifest = package["manifest_path"].as_str().unwrap();
        let text = std::fs::read_to_string(manifest).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{manifest}");
        for dependency in normal(&package) {
            for feature in dependency["features"].as_array().unwrap() {
                assert!(
                    !["mock", "contract", "testing"].contains(&feature.as_str().unwrap()),
                    "{manifest}: {dependency}"
                );
            }
        }
    }
}

#[test]
fn every_promise_is_named_in_its_ports_doc() {
    for (port, suites) in SUITES {
        let read = |path: String| std::fs::read_to_string(root().join(path)).unwrap();
        let doc = read(format!("ports/src/{port}.rs"));
        for suite_name in *suites {
            let suite = read(format!("ports/src/contract/{suite_name}.rs"));
            let lists = suite.split("$crate::contract::").skip(1).filter_map(|rest| rest.split_once('['));
            let tests: Vec<&str> = lists
                .flat_map(|(_, rest)| rest.split_once(']').unwrap().0.split(','))
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .collect();
            assert!(tests.len() >= 2, "{suite_name}: {tests:?}");
            for test in tests {
                assert!(
                    doc.contains(&format!("/// - `{test}`")),
                    "{suite_name}: {test} is no bullet of a # Contract"
                );
                assert!(suite.contains(&format!("pub async fn {test}")), "{suite_name}: {test} is not there");
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.starts_with("//! "), "{}", path.display());
            }
        }
    }
}
