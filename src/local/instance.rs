//! Component instances: what each has in its store, when one is made, how many requests it takes
//! and when it goes. The numbers are Spin's.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime::component::{GuestTaskId, Linker, ResourceTable};
use wasmtime::{Engine, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::key_value::{self, KeyValue};
use crate::outbound::{self, Outbound};
use crate::spin_2;
use crate::sqlite::{self, Sqlite};
use crate::variables::{self, Variables};

/// When an instance takes another request, and how long it is kept.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Reuse {
    /// Requests that an instance serves in all before it is replaced
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_instance_reuse_count: usize,
    /// Requests without an answer that an instance may have at once
    #[arg(long, value_name = "N", default_value_t = 16)]
    max_instance_concurrent_reuse_count: usize,
    /// How long an instance without requests is kept (`1s`, `500ms`)
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    idle_instance_timeout: Duration,
    /// How long a request may go without an answer [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    request_timeout: Option<Duration>,
}

/// Seconds, or a number with `s`, `ms` or `us` after it.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit): (&str, fn(u64) -> Duration) = if let Some(number) = text.strip_suffix("ms") {
        (number, Duration::from_millis)
    } else if let Some(number) = text.strip_suffix("us") {
        (number, Duration::from_micros)
    } else {
        (text.strip_suffix('s').unwrap_or(text), Duration::from_secs)
    };
    number.parse().map(unit).map_err(|_| "expected a whole number with `s`, `ms` or `us`".to_owned())
}

/// What a component is and may use; makes its instances.
pub(crate) struct InstanceMaker {
    pub(crate) id: String,
    pub(crate) component: ProxyPre<State>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) key_value: Arc<key_value::Grants>,
    pub(crate) outbound: Arc<outbound::Grants>,
    pub(crate) sqlite: Arc<sqlite::Grants>,
    pub(crate) variables: Arc<variables::Values>,
    pub(crate) reuse: Reuse,
}

/// All that an instance has in its store.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    key_value: KeyValue,
    sqlite: Sqlite,
    variables: Variables,
}

/// Links everything that a component may import.
///
/// # Errors
///
/// Fails only where two parts offer the same interface.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    // Rust's standard library still imports WASI 0.2.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    key_value::add_to_linker(&mut linker, |state: &mut State| &mut state.key_value)?;
    sqlite::add_to_linker(&mut linker, |state: &mut State| &mut state.sqlite)?;
    variables::add_to_linker(&mut linker, |state: &mut State| &mut state.variables)?;
    spin_2::add_to_linker(
        &mut linker,
        |state| &mut state.key_value,
        |state| &mut state.sqlite,
        |state| &mut state.variables,
    )?;
    Ok(linker)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

impl HandlerState for InstanceMaker {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Limits;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Limits>> {
        let mut wasi = WasiCtxBuilder::new();
        // Spin sends both to its standard error, which leaves standard output to the server.
        wasi.stdout(tokio::io::stderr()).stderr(tokio::io::stderr()).envs(&self.environment);
        let state = State {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound(Arc::clone(&self.outbound)),
            key_value: KeyValue::new(Arc::clone(&self.key_value)),
            sqlite: Sqlite::new(Arc::clone(&self.sqlite)),
            variables: Variables(Arc::clone(&self.variables)),
        };
        let engine = match &self.component {
            ProxyPre::P2(component) => component.engine(),
            ProxyPre::P3(component) => component.engine(),
        };
        let mut store = Store::new(engine, state);
        let proxy = self.component.instantiate_async(&mut store).await?;
        let reuse = match &proxy {
            // An instance of WASI 0.2 has one request and is gone.
            Proxy::P2(_) => Reuse { max_instance_reuse_count: 1, ..self.reuse },
            Proxy::P3(_) => self.reuse,
        };
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Expiration { reuse, sleep: Box::pin(tokio::time::sleep(Duration::MAX)) },
            state: Limits { component: self.id.clone(), reuse },
        })
    }
}

/// How long an instance lives on.
pub(crate) struct Expiration {
    reuse: Reuse,
    sleep: Pin<Box<Sleep>>,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        let timeout = match status {
            WorkerStatus::Idle => Some(self.reuse.idle_instance_timeout),
            WorkerStatus::Requests => self.reuse.request_timeout,
            // Answered requests whose streams still run: a request's timeout must not cut those.
            WorkerStatus::PostReturn => None,
        };
        let Some(deadline) = timeout.and_then(|timeout| start.checked_add(timeout)) else {
            return Poll::Pending;
        };
        if self.sleep.deadline() != deadline.into() {
            self.sleep.as_mut().reset(deadline.into());
        }
        self.sleep.as_mut().poll(context)
    }
}

/// What an instance takes on.
pub(crate) struct Limits {
    component: String,
    reuse: Reuse,
}

impl WorkerState for Limits {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, unanswered: usize, total: usize) -> ShouldAccept {
        if total >= self.reuse.max_instance_reuse_count {
            ShouldAccept::Never
        } else if unanswered >= self.reuse.max_instance_concurrent_reuse_count {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, State>,
        (): (),
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        match self.reuse.request_timeout {
            Some(timeout) => Box::pin(tokio::time::sleep(timeout)),
            None => Box::pin(std::future::pending()),
        }
    }

    fn drop(&self, _store: Store<State>, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            tracing::error!("an instance of `{}` failed: {error:?}", self.component);
        }
    }
}
