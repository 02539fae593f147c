//! `spin.toml` is part of the contract: variables with their defaults (section 4) and least grants (section 1).

use std::fs;

use buddy_tests::project_root;
use toml::{Table, Value};

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
    assert_eq!(manifest["variables"]["admin_token"]["secret"], Value::Boolean(true));
}

#[test]
fn every_component_gets_what_it_needs_and_no_more() {
    let manifest = manifest();
    let components = manifest["component"].as_table().expect("components");
    let names: Vec<_> = components.keys().map(String::as_str).collect();
    assert_eq!(names, ["keys", "links", "messages", "rooms", "router", "stream", "web"]);
    for (name, component) in components {
        let grants = |kind: &str| component.get(kind).map(|labels| labels.as_array().expect("labels").clone());
        let expected = (name != "web").then(|| vec![Value::from("default")]);
        assert_eq!(grants("sqlite_databases"), expected, "{name}");
        assert_eq!(grants("key_value_stores"), expected, "{name}");
        for none in ["allowed_outbound_hosts", "ai_models", "files", "environment"] {
            assert!(component.get(none).is_none(), "{name} needs no {none}");
        }
        let build = component["build"].as_table().expect("how to build it");
        assert!(build["command"].as_str().is_some_and(|command| command.contains("wasm32-wasip2")), "{name}");
        assert!(build["watch"].as_array().is_some_and(|watch| !watch.is_empty()), "{name}");
    }
}
