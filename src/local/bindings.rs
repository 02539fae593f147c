//! Rust traits and types for the Spin interfaces in `wit/`, generated at build time.
//!
//! `sqlite.rs`, `key_value.rs`, `variables.rs` and `spin_2.rs` implement them; nothing is written here by hand.

wasmtime::component::bindgen!({
    path: "wit",
    world: "host",
    imports: { default: async | trappable },
    with: {
        "fermyon:spin/key-value.store": crate::key_value::Store,
        "fermyon:spin/sqlite.connection": crate::sqlite::Session,
        "spin:key-value/key-value.store": crate::key_value::Store,
        "spin:sqlite/sqlite.connection": crate::sqlite::Session,
    },
});
