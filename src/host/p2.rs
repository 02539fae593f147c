//! The backend over WASI 0.2 and spin-sdk 5, with the interfaces that every Spin since version 2 has. An instance
//! serves one request and lives until its last task has ended: nothing is shared between requests.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{FutureExt, LocalBoxFuture};
use futures::stream::FuturesUnordered;
use spin_executor::{CancelOnDropToken, push_waker_and_get_token};
use wasi::clocks::monotonic_clock;

/// What the macro `http_component` refers to.
pub(crate) mod sdk {
    pub use spin_sdk_p2::{http_component, wit_bindgen};
}

/// Makes an `async fn(Request) -> Answer` the component's entry point.
#[macro_export]
macro_rules! serve {
    ($handle:path) => {
        extern crate buddy_host as spin_sdk;

        #[spin_sdk::http_component]
        async fn entry(request: spin_sdk::http::IncomingRequest, answer: spin_sdk::http::ResponseOutparam) {
            spin_sdk::http::serve(request, answer, $handle).await;
        }
    };
}

thread_local! {
    static TASKS: RefCell<Vec<LocalBoxFuture<'static, ()>>> = RefCell::default();
}

pub(crate) async fn sleep(duration: Duration) {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let deadline = monotonic_clock::now().saturating_add(nanoseconds);
    // Cancels what was registered before, and what is left when the sleeper is dropped.
    let mut registration = None;
    poll_fn(|context| {
        if monotonic_clock::now() >= deadline {
            return Poll::Ready(());
        }
        let alarm = monotonic_clock::subscribe_instant(deadline);
        let token = push_waker_and_get_token(alarm, context.waker().clone());
        drop(registration.replace(CancelOnDropToken::from(token)));
        Poll::Pending
    })
    .await;
}

pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    TASKS.with_borrow_mut(|tasks| tasks.push(task.boxed_local()));
}

/// Runs a task, and all that it and its like spawn, until the last has ended.
async fn run(task: impl Future<Output = ()> + 'static) {
    spawn(task);
    let mut running = FuturesUnordered::new();
    poll_fn(|context| {
        loop {
            let spawned = TASKS.take();
            let is_idle = spawned.is_empty();
            running.extend(spawned);
            match running.poll_next_unpin(context) {
                Poll::Ready(None) if is_idle => return Poll::Ready(()),
                Poll::Pending if is_idle => return Poll::Pending,
                _ => {}
            }
        }
    })
    .await;
}

pub(crate) mod http {
    use std::pin::Pin;

    use bytes::Bytes;
    use futures::{Sink, SinkExt, Stream as Chunks, StreamExt};
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
    use http_body_util::{BodyExt, Full};
    use spin_sdk_p2::http::{Fields, IncomingRequest, IncomingResponse, OutgoingResponse, ResponseOutparam};
    use wasi::io::streams::{Error, StreamError};

    use crate::http::{Answer, Caller, Request};

    /// What the macro `http_component` and `serve!` refer to.
    pub(crate) mod sdk {
        pub use super::serve;
        pub use spin_sdk_p2::http::{
            IncomingRequest, IntoResponse, OutgoingResponse, ResponseOutparam, conversions, run,
        };
    }

    pub(crate) type Body = Pin<Box<dyn Chunks<Item = Result<Vec<u8>, Error>>>>;

    /// The next data of a body.
    pub(crate) async fn chunk(body: &mut Body) -> Result<Option<Bytes>, Error> {
        Ok(body.next().await.transpose()?.map(Bytes::from))
    }

    /// Posts a request, and gives its answer's status.
    pub(crate) async fn post(request: http::Request<Vec<u8>>) -> Result<u16, String> {
        let (parts, body) = request.into_parts();
        let mut wire = spin_sdk_p2::http::Request::post(parts.uri.to_string(), body);
        for (name, value) in &parts.headers {
            wire.header(name.as_str(), value.to_str().map_err(|error| error.to_string())?);
        }
        let answer: IncomingResponse =
            spin_sdk_p2::http::send(wire.build()).await.map_err(|error| format!("{error}"))?;
        Ok(answer.status())
    }

    pub struct Stream(OutgoingResponse);

    /// The writing end of a stream. Dropping it ends the body.
    pub struct Writer(Pin<Box<dyn Sink<Vec<u8>, Error = StreamError>>>);

    impl Writer {
        /// Sends one chunk. False: the client has left.
        pub async fn send(&mut self, chunk: Vec<u8>) -> bool {
            self.0.send(chunk).await.is_ok()
        }
    }

    pub(crate) fn stream(headers: &[(&str, &str)]) -> Result<(Stream, Writer), String> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let (response, writer) = response(&headers)?;
        Ok((Stream(response), writer))
    }

    fn response(headers: &[(String, Vec<u8>)]) -> Result<(OutgoingResponse, Writer), String> {
        let headers = Fields::from_list(headers).map_err(|error| format!("{error:?}"))?;
        let response = OutgoingResponse::new(headers);
        let writer = Writer(Box::pin(response.take_body()));
        Ok((response, writer))
    }

    /// Answers a request, and keeps the instance for the tasks that it spawned.
    pub async fn serve<F>(request: IncomingRequest, out: ResponseOutparam, handle: fn(Request) -> F)
    where
        F: Future<Output = Answer> + 'static,
    {
        super::run(async move {
            let answered = match read(request) {
                Ok(request) => answer(out, handle(request).await).await,
                // The instance ends without an answer, which the host turns into an error of its own.
                Err(cause) => Err(cause),
            };
            if let Err(cause) = answered {
                crate::log(format_args!("a request ends without its answer: {cause}"));
            }
        })
        .await;
    }

    fn read(request: IncomingRequest) -> Result<Request, String> {
        use spin_sdk_p2::http::Method as Wire;
        let method = match request.method() {
            Wire::Get => Method::GET,
            Wire::Head => Method::HEAD,
            Wire::Post => Method::POST,
            Wire::Put => Method::PUT,
            Wire::Delete => Method::DELETE,
            Wire::Connect => Method::CONNECT,
            Wire::Options => Method::OPTIONS,
            Wire::Trace => Method::TRACE,
            Wire::Patch => Method::PATCH,
            Wire::Other(name) => Method::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?,
        };
        let uri: Uri = request.path_with_query().unwrap_or_default().parse().map_err(|_| "a path that is none")?;
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers().entries() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            headers.append(name, HeaderValue::from_bytes(&value).map_err(|error| error.to_string())?);
        }
        let caller = Caller::new(method, &uri, headers);
        Ok(Request { caller, body: crate::http::Body(Box::pin(request.into_body_stream())) })
    }

    async fn answer(out: ResponseOutparam, answer: Answer) -> Result<(), String> {
        match answer {
            Answer::Whole(whole) => whole_answer(out, whole).await,
            Answer::Stream(Stream(response)) => {
                out.set(response);
                Ok(())
            }
        }
    }

    async fn whole_answer(out: ResponseOutparam, whole: Response<Full<Bytes>>) -> Result<(), String> {
        let (parts, body) = whole.into_parts();
        let headers: Vec<_> =
            parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        let (response, mut writer) = response(&headers)?;
        response.set_status_code(parts.status.as_u16()).map_err(|()| "a status that is none")?;
        out.set(response);
        let Ok(body) = body.collect().await;
        // False: the client has left, which is nobody's fault.
        writer.send(body.to_bytes().into()).await;
        Ok(())
    }
}

pub(crate) mod sqlite {
    use spin_sdk_p2::sqlite::{self, Error};

    use crate::sqlite::Value;

    pub(crate) struct Connection(sqlite::Connection);

    impl Connection {
        pub(crate) async fn open(label: &str) -> Result<Self, String> {
            sqlite::Connection::open(label).map(Self).map_err(text)
        }

        pub(crate) async fn run(
            &self,
            sql: &str,
            parameters: &[Value],
        ) -> Result<(Vec<String>, Vec<Vec<Value>>), String> {
            let parameters: Vec<_> = parameters.iter().cloned().map(sqlite::Value::from).collect();
            let result = self.0.execute(sql, &parameters).map_err(text)?;
            let rows = result.rows.into_iter().map(|row| row.values.into_iter().map(Value::from).collect());
            Ok((result.columns, rows.collect()))
        }
    }

    /// An error's text may quote a statement, never a bound value.
    fn text(error: Error) -> String {
        format!("{error:?}")
    }

    crate::sqlite::cells!(sqlite::Value);
}

pub(crate) mod key_value {
    use spin_sdk_p2::key_value::Store;

    pub(crate) async fn get(key: &str) -> Result<Option<Vec<u8>>, String> {
        Store::open_default().and_then(|store| store.get(key)).map_err(|error| format!("{error:?}"))
    }

    pub(crate) async fn set(key: &str, value: &[u8]) -> Result<(), String> {
        Store::open_default().and_then(|store| store.set(key, value)).map_err(|error| format!("{error:?}"))
    }
}

pub(crate) mod variables {
    pub(crate) async fn get(name: &str) -> Result<String, String> {
        spin_sdk_p2::variables::get(name).map_err(|error| format!("{error:?}"))
    }
}
