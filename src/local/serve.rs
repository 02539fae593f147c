//! The HTTP side: takes connections, finds each request's component, and passes bodies through.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::application::Handler;
use crate::route::Router;

/// Where Spin answers itself.
const RESERVED: &str = "/.well-known/spin/";

/// Serves connections until the end of the process.
pub(crate) async fn serve(listener: TcpListener, router: Arc<Router<Handler>>) {
    loop {
        // `TCP_NODELAY` stays off, as under Spin: a needless second write then costs here, too,
        // the 40 ms that it costs users.
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely too many open files: connections that end make room.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            }
        };
        let router = Arc::clone(&router);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let router = Arc::clone(&router);
                async move { answer(&router, client, request).await }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!("connection to {client}: {error}");
            }
        });
    }
}

/// Answers one request. An error closes the connection without an answer, as under Spin.
async fn answer(
    router: &Router<Handler>,
    client: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<WasiBody>> {
    // It speaks of the connection to this server and means nothing to a component.
    request.headers_mut().remove(header::CONNECTION);

    let path = request.uri().path().to_owned();
    if let Some(reserved) = path.strip_prefix(RESERVED) {
        return Ok(match reserved {
            "health" => Response::new(Full::from("OK").map_err(Error::from).boxed_unsync()),
            _ => empty(StatusCode::NOT_FOUND),
        });
    }
    let Some(route) = router.best(&path) else {
        return Ok(empty(StatusCode::NOT_FOUND));
    };
    let uri = absolute_uri(&request)?;
    *request.uri_mut() = uri.clone();

    let is_text = request.headers().values().all(|value| std::str::from_utf8(value.as_bytes()).is_ok());
    if !is_text || route.append_headers(request.headers_mut(), &uri, client).is_err() {
        return Ok(empty(StatusCode::INTERNAL_SERVER_ERROR));
    }
    let Handler { id, proxy } = route.target();
    let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
    match proxy.handle((), request).await {
        Ok(response) => Ok(response),
        Err(error) => {
            tracing::error!("component `{id}`: {error:#}");
            Ok(empty(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// The request's URI with scheme and authority, which components are given.
fn absolute_uri(request: &Request<Incoming>) -> Result<Uri> {
    let host = match request.headers().get(header::HOST) {
        Some(host) => Some(host.to_str()?.parse::<Authority>()?),
        None => None,
    };
    let authority = match (host, request.uri().authority()) {
        (Some(host), Some(target)) if host != *target => bail!("the host header is not the target's host"),
        (Some(host), _) => host,
        (None, Some(target)) => target.clone(),
        (None, None) => bail!("no host header"),
    };
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build().context("no valid URI")
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(Empty::<Bytes>::new().map_err(Error::from).boxed_unsync());
    *response.status_mut() = status;
    response
}
