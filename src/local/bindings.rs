//! Rust traits and types for the Spin interfaces in `wit/`, generated at build time.
//!
//! `sqlite.rs`, `key_value.rs` and `variables.rs` implement them; nothing is written here by hand.

wasmtime::component::bindgen!({
    path: "wit",
    world: "host",
    imports: { default: async | trappable },
    with: {
        "spin:key-value/key-value.store": crate::key_value::Store,
        "spin:sqlite/sqlite.connection": crate::sqlite::Session,
    },
});
