//! `spin.toml` is part of the contract: variables with their defaults (section 4) and least grants (section 1). So is
//! what components import: a host that lacks one of it starts none of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use buddy_tests::project_root;
use toml::{Table, Value};
use wasmparser::{Parser, Payload};

fn manifest() -> Table {
    let text = fs::read_to_string(project_root().join("spin.toml")).expect("spin.toml can be read");
    assert!(text.starts_with("#:schema "), "editors find the schema");
    text.parse().expect("spin.toml is TOML")
}

#[test]
fn every_limit_is_a_variable_with_its_default() {
    let manifest = manifest();
    for (name, default) in [
        ("databases", "default"),
        ("admin_token", ""),
        ("log_requests", "0"),
        ("client_address_header", ""),
        ("max_body_bytes", "16384"),
        ("room_max_bytes", "268435456"),
        ("file_max_bytes", "26214400"),
        ("file_parts_per_address_per_ten_s", "200"),
        ("file_bytes_per_address_per_hour", "1073741824"),
        ("posts_per_author_per_ten_s", "20"),
        ("posts_per_room_per_ten_s", "200"),
        ("posts_per_address_per_ten_s", "200"),
        ("posts_per_address_per_room_per_ten_s", "60"),
        ("changes_per_room_per_ten_s", "20"),
        ("database_max_bytes", "0"),
        ("signals_per_author_per_ten_s", "10"),
        ("signals_per_room_per_ten_s", "100"),
        ("rooms_per_address_per_hour", "60"),
        ("people_max", "500"),
        ("links_max", "100"),
        ("link_openings_max", "1000"),
        ("link_openings_per_address_per_ten_s", "20"),
        ("cards_per_author", "20"),
        ("rotation_max_bytes", "524288"),
        ("rotations_per_room_per_hour", "30"),
        ("push_key", ""),
        ("public_address", ""),
        (
            "push_services",
            "https://fcm.googleapis.com,https://updates.push.services.mozilla.com,https://web.push.apple.com",
        ),
        ("push_registrations_max", "200"),
        ("push_registrations_per_address_per_hour", "600"),
        ("tombstone_days", "400"),
        ("streams_per_instance", "8000"),
        ("stream_max_s", "1800"),
        ("heartbeat_s", "15"),
        ("poll_active_ms", "5"),
        ("poll_idle_ms", "100"),
        ("room_ttl_days", "30"),
    ] {
        assert_eq!(manifest["variables"][name]["default"].as_str(), Some(default), "{name}");
    }
    for secret in ["admin_token", "push_key"] {
        assert_eq!(manifest["variables"][secret]["secret"], Value::Boolean(true), "{secret}");
    }
}

#[test]
fn every_component_gets_what_it_needs_and_no_more() {
    let manifest = manifest();
    let components = manifest["component"].as_table().expect("components");
    let names: Vec<_> = components.keys().map(String::as_str).collect();
    assert_eq!(names, ["files", "keys", "links", "messages", "push", "rooms", "router", "stream", "web"]);
    for (name, component) in components {
        let grants = |kind: &str| component.get(kind).map(|labels| labels.as_array().expect("labels").clone());
        let expected = (name != "web").then(|| vec![Value::from("default")]);
        assert_eq!(grants("sqlite_databases"), expected, "{name}");
        assert_eq!(grants("key_value_stores"), expected, "{name}");
        for none in ["ai_models", "files", "environment"] {
            assert!(component.get(none).is_none(), "{name} needs no {none}");
        }
        // Whose endpoints are taken, and nobody else.
        let services = manifest["variables"]["push_services"]["default"].as_str().expect("origins");
        let hosts = services.split(',').map(|origin| Value::from(format!("{origin}:443"))).collect();
        assert_eq!(grants("allowed_outbound_hosts"), (name == "push").then_some(hosts), "{name}");
        let build = component["build"].as_table().expect("how to build it");
        assert!(build["command"].as_str().is_some_and(|command| command.contains("wasm32-wasip2")), "{name}");
        assert!(build["watch"].as_array().is_some_and(|watch| !watch.is_empty()), "{name}");
    }
}

/// What Rust's own library asks of its host, whatever else a component needs.
const OF_THE_LIBRARY: [&str; 17] = [
    "wasi:cli/environment@0.2",
    "wasi:cli/exit@0.2",
    "wasi:cli/stderr@0.2",
    "wasi:cli/stdin@0.2",
    "wasi:cli/stdout@0.2",
    "wasi:cli/terminal-input@0.2",
    "wasi:cli/terminal-output@0.2",
    "wasi:cli/terminal-stderr@0.2",
    "wasi:cli/terminal-stdin@0.2",
    "wasi:cli/terminal-stdout@0.2",
    "wasi:clocks/monotonic-clock@0.2",
    "wasi:clocks/wall-clock@0.2",
    "wasi:io/error@0.2",
    "wasi:io/poll@0.2",
    "wasi:io/streams@0.2",
    "wasi:random/insecure-seed@0.2",
    "wasi:random/random@0.2",
];

/// Spin 4.1.
const OF_SPIN: [&str; 7] = [
    "spin:key-value/key-value@3.0",
    "spin:sqlite/sqlite@3.1",
    "spin:variables/variables@3.0",
    "wasi:cli/stdin@0.3",
    "wasi:clocks/monotonic-clock@0.3",
    "wasi:clocks/types@0.3",
    "wasi:http/types@0.3",
];

/// Every Spin since version 2, and Fermyon Cloud.
const OF_THE_CLOUD: [&str; 4] =
    ["fermyon:spin/key-value@2.0", "fermyon:spin/sqlite@2.0", "fermyon:spin/variables@2.0", "wasi:http/types@0.2"];

#[test]
fn components_import_what_their_host_has_and_nothing_else() {
    let path = buddy_tests::manifest::path();
    let manifest: Table = fs::read_to_string(&path).expect("the manifest").parse().expect("TOML");
    let folder = path.parent().expect("a folder");
    for (id, component) in manifest["component"].as_table().expect("components") {
        let (imports, exports) = interface(&folder.join(component["source"].as_str().expect("a source")));
        let own: &[&str] = if exports.contains("wasi:http/handler@0.3") {
            &OF_SPIN
        } else {
            assert!(exports.contains("wasi:http/incoming-handler@0.2"), "{id} answers HTTP requests: {exports:?}");
            &OF_THE_CLOUD
        };
        let asks_others = |name: &str| ["wasi:http/client@0.3", "wasi:http/outgoing-handler@0.2"].contains(&name);
        let unknown: Vec<_> = imports
            .iter()
            .filter(|name| !OF_THE_LIBRARY.contains(&name.as_str()) && !own.contains(&name.as_str()))
            .filter(|name| id != "push" || !asks_others(name))
            .collect();
        assert!(unknown.is_empty(), "{id} imports {unknown:?}");
        assert_eq!(imports.iter().any(|name| asks_others(name)), id == "push", "{id}: {imports:?}");
        let variables = own.iter().find(|name| name.contains("variables")).expect("both have variables");
        assert!(
            imports.contains(*variables),
            "{id} reads variables, so that its imports were really read: {imports:?}"
        );
    }
}

/// The names of a component's imports and exports with the versions that count: two numbers, the rest is compatible.
fn interface(path: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let wasm = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(&wasm) {
        match payload.expect("a component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| short(import.expect("an import").name.name)));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| short(export.expect("an export").name.name)));
            }
            _ => {}
        }
    }
    (imports, exports)
}

fn short(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(name, _)| name).to_owned()
}
