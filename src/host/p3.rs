//! The backend over WASI 0.3 and spin-sdk 7.

use std::time::Duration;

/// What the macro `http_service` refers to.
pub(crate) mod sdk {
    pub use spin_sdk::{http_service, wasip3};
}

/// Makes an `async fn(Request) -> Answer` the component's entry point.
#[macro_export]
macro_rules! serve {
    ($handle:path) => {
        extern crate buddy_host as spin_sdk;

        #[spin_sdk::http_service]
        async fn entry(request: $crate::http::Request) -> $crate::http::Answer {
            $handle(request).await
        }
    };
}

pub(crate) async fn sleep(duration: Duration) {
    spin_sdk::time::sleep(duration).await;
}

pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    spin_sdk::wasip3::spawn(task);
}

pub(crate) mod http {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use spin_sdk::http::{FromRequest, IntoResponse};
    use spin_sdk::wasip3::{http::types, wit_bindgen, wit_future, wit_stream};

    use crate::http::{Answer, Caller, Request};

    pub(crate) type Body = spin_sdk::wasip3::http_compat::IncomingRequestBody;
    type Trailers = Result<Option<types::Trailers>, types::ErrorCode>;

    /// What the macro `http_service` refers to.
    pub(crate) mod sdk {
        pub use spin_sdk::http::{FromRequest, IntoResponse};
    }

    impl FromRequest for Request {
        fn from_request(request: types::Request) -> Result<Self, types::ErrorCode> {
            let (parts, body) = spin_sdk::http::Request::from_request(request)?.into_parts();
            let caller = Caller::new(parts.method, &parts.uri, parts.headers);
            Ok(Self { caller, body: crate::http::Body(body) })
        }
    }

    impl IntoResponse for Answer {
        fn into_response(self) -> Result<types::Response, types::ErrorCode> {
            match self {
                Self::Whole(response) => response.into_response(),
                Self::Stream(Stream(response)) => Ok(response),
            }
        }
    }

    /// The next data of a body; trailers are passed over.
    pub(crate) async fn chunk(body: &mut Body) -> Result<Option<Bytes>, types::ErrorCode> {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Posts a request, and gives its answer's status.
    pub(crate) async fn post(request: http::Request<Vec<u8>>) -> Result<u16, String> {
        let mut request = request.map(|body| Full::new(Bytes::from(body)));
        *request.method_mut() = http::Method::POST;
        let answer = spin_sdk::http::send(request).await.map_err(|error| format!("{error:?}"))?;
        Ok(answer.status().as_u16())
    }

    pub struct Stream(types::Response);

    /// The writing end of a stream. Dropping it ends the body.
    pub struct Writer {
        bytes: wit_bindgen::StreamWriter<u8>,
        // Dropped with the stream, which sends "no trailers".
        _trailers: wit_bindgen::FutureWriter<Trailers>,
    }

    impl Writer {
        /// Sends one chunk. False: the client has left.
        pub async fn send(&mut self, chunk: Vec<u8>) -> bool {
            self.bytes.write_all(chunk).await.is_empty()
        }
    }

    pub(crate) fn stream(headers: &[(&str, &str)]) -> Result<(Stream, Writer), String> {
        let (bytes, reader) = wit_stream::new::<u8>();
        let (trailers, trailers_reader) = wit_future::new::<Trailers>(|| Ok(None));
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let headers = types::Fields::from_list(&headers).map_err(|error| format!("{error:?}"))?;
        let (response, _) = types::Response::new(headers, Some(reader), trailers_reader);
        Ok((Stream(response), Writer { bytes, _trailers: trailers }))
    }
}

pub(crate) mod sqlite {
    use spin_sdk::sqlite::{self, Error};

    use crate::sqlite::Value;

    pub(crate) struct Connection(sqlite::Connection);

    impl Connection {
        pub(crate) async fn open(label: &str) -> Result<Self, String> {
            sqlite::Connection::open(label).await.map(Self).map_err(text)
        }

        /// A statement has succeeded only when all of its rows have arrived.
        pub(crate) async fn run(
            &self,
            sql: &str,
            parameters: &[Value],
        ) -> Result<(Vec<String>, Vec<Vec<Value>>), String> {
            let parameters = parameters.iter().cloned().map(sqlite::Value::from);
            let result = self.0.execute(sql, parameters).await.map_err(text)?;
            let columns = result.columns().to_vec();
            let rows = result.collect().await.map_err(text)?;
            Ok((columns, rows.into_iter().map(|row| row.values.into_iter().map(Value::from).collect()).collect()))
        }
    }

    /// An error's text may quote a statement, never a bound value.
    fn text(error: Error) -> String {
        format!("{error:?}")
    }

    crate::sqlite::cells!(sqlite::Value);
}

pub(crate) mod key_value {
    use spin_sdk::key_value::Store;

    pub(crate) async fn get(key: &str) -> Result<Option<Vec<u8>>, String> {
        let value = async { Store::open_default().await?.get(key).await };
        value.await.map_err(|error| format!("{error:?}"))
    }

    pub(crate) async fn set(key: &str, value: &[u8]) -> Result<(), String> {
        let set = async { Store::open_default().await?.set(key, value).await };
        set.await.map_err(|error| format!("{error:?}"))
    }
}

pub(crate) mod variables {
    pub(crate) async fn get(name: &str) -> Result<String, String> {
        spin_sdk::variables::get(name).await.map_err(|error| format!("{error:?}"))
    }
}
