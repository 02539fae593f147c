//! From a manifest to components that are ready to serve: settles variables and grants, compiles.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use wasmtime::component::{Component as Wasm, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi_http::handler::{ProxyHandler, ProxyPre};
use wasmtime_wasi_http::{p2, p3};

use crate::database;
use crate::instance::{self, InstanceMaker, Reuse, State};
use crate::key_value::{StoreFile, Stores};
use crate::libsql;
use crate::manifest::{Manifest, Route};
use crate::outbound::Host;
use crate::redis;
use crate::route::Router;
use crate::runtime_config::{DatabaseAt, Places, StoreAt};
use crate::sqlite::Database;
use crate::variables;

/// A component that takes requests.
#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) id: Arc<str>,
    pub(crate) proxy: ProxyHandler<InstanceMaker>,
}

/// Makes ready what the manifest in `folder` declares, and routes that lead to it.
///
/// # Errors
///
/// Says by name what is missing: a variable's value, a label's configuration, a component's file.
pub(crate) fn load(
    manifest: Manifest,
    folder: &Path,
    places: &Places,
    given_variables: &BTreeMap<String, String>,
    reuse: Reuse,
) -> Result<Router<Handler>> {
    let variables = variables::resolve(&manifest.variables, given_variables, |name| std::env::var(name).ok())?;
    let databases = open_all(&places.databases, open_database)?;
    let stores = open_all(&places.stores, open_store)?;
    let engine = engine()?;
    let linker = instance::linker(&engine)?;

    let mut handlers = HashMap::new();
    for (id, component) in manifest.component {
        let asks_for = |kind: &str, label: &str| {
            let section = if kind == "database" { "sqlite_database" } else { "key_value_store" };
            format!(
                "component `{id}` uses the {kind} `{label}`, which is not configured: \
                 add [{section}.{label}] to the file of --runtime-config-file"
            )
        };
        let sqlite = grant(&component.sqlite_databases, &databases, |label| asks_for("database", label))?;
        let key_value = grant(&component.key_value_stores, &stores, |label| asks_for("store", label))?;
        let outbound: Result<_> = component.allowed_outbound_hosts.iter().map(|entry| Host::parse(entry)).collect();
        let outbound = outbound.with_context(|| format!("component `{id}`"))?;
        let variables =
            variables::fill_in(&component.variables, &variables).with_context(|| format!("component `{id}`"))?;

        let path = folder.join(component.source.0);
        if !path.is_file() {
            bail!("component `{id}`: {} does not exist: run `cargo xtask build`", path.display());
        }
        let component_pre = prepare(&linker, &path).with_context(|| format!("component `{id}`"))?;
        let maker = InstanceMaker {
            id: id.clone(),
            component: component_pre,
            environment: component.environment.into_iter().collect(),
            key_value: Arc::new(key_value),
            outbound: Arc::new(outbound),
            sqlite: Arc::new(sqlite),
            variables: Arc::new(variables),
            reuse,
        };
        handlers.insert(id.clone(), Handler { id: id.into(), proxy: ProxyHandler::new(maker) });
    }

    Router::new(manifest.trigger.http.into_iter().filter_map(|trigger| match trigger.route {
        Route::Pattern(pattern) => Some((pattern, handlers[&trigger.component].clone())),
        Route::Private => None,
    }))
}

/// Compiles a component (or takes it from the cache) and links it.
fn prepare(linker: &Linker<State>, path: &Path) -> Result<ProxyPre<State>> {
    let wasm = Wasm::from_file(linker.engine(), path).map_err(anyhow::Error::from);
    let wasm = wasm.with_context(|| format!("{} is no component", path.display()))?;
    let pre = linker.instantiate_pre(&wasm)?;
    if let Ok(service) = p3::bindings::ServicePre::new(pre.clone()) {
        return Ok(ProxyPre::P3(service));
    }
    let proxy = p2::bindings::ProxyPre::new(pre).map_err(anyhow::Error::from);
    let proxy =
        proxy.with_context(|| format!("{} answers no HTTP requests, neither of WASI 0.3 nor 0.2", path.display()))?;
    Ok(ProxyPre::P2(proxy))
}

fn open_all<P, T>(places: &BTreeMap<String, P>, open: impl Fn(&P) -> Result<T>) -> Result<HashMap<String, T>> {
    places.iter().map(|(label, place)| Ok((label.clone(), open(place)?))).collect()
}

/// A server is asked only when a component first needs it, as under Spin: one that is away now may come.
fn open_database(place: &DatabaseAt) -> Result<Database> {
    Ok(match place {
        DatabaseAt::File { path } => {
            make_folder_of(path)?;
            Database::File(database::Database::new(path)?)
        }
        DatabaseAt::Libsql { url, token } => Database::Server(libsql::Server::new(url, token)),
    })
}

fn open_store(place: &StoreAt) -> Result<Stores> {
    Ok(match place {
        StoreAt::File { path } => {
            make_folder_of(path)?;
            Stores::File(StoreFile::new(path))
        }
        StoreAt::Redis { url } => Stores::Server(redis::Server::new(url)),
    })
}

fn make_folder_of(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

fn grant<T: Clone>(
    labels: &[String],
    known: &HashMap<String, T>,
    refusal: impl Fn(&str) -> String,
) -> Result<HashMap<String, T>> {
    let find = |label: &String| {
        let found = known.get(label).with_context(|| refusal(label))?;
        Ok((label.clone(), found.clone()))
    };
    labels.iter().map(find).collect()
}

/// The engine: compiled code is cached, memory and stacks of instances come from a pool.
fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    match Cache::new(CacheConfig::new()) {
        Ok(cache) => drop(config.cache(Some(cache))),
        Err(error) => tracing::warn!("no cache, so every start compiles all components: {error:#}"),
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            // The pool reserves terabytes of address space, which not every machine allows.
            tracing::debug!("no pool for instances: {error:#}");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Ok(Engine::new(&config)?)
        }
    }
}

/// As large as Spin's pool by default.
fn pool() -> PoolingAllocationConfig {
    const INSTANCES: u32 = 1_000;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_stacks(INSTANCES)
        .total_tables(2 * INSTANCES)
        .total_core_instances(4 * INSTANCES)
        .table_elements(100_000)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_core_instances_per_component(200)
        .max_tables_per_component(64)
        .max_memories_per_component(32)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(512 << 10);
    pool
}
