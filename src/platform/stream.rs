//! The body of an answer that goes on: a stream of bytes written by the instance's tasks.

use buddy_domain::Error;
use spin_sdk::wasip3::{http::types, wit_bindgen, wit_future, wit_stream};

use crate::Answer;
use crate::reply::CORS;

type Trailers = Result<Option<types::Trailers>, types::ErrorCode>;

/// The writing end of a stream. Dropping it ends the body.
pub struct Writer {
    bytes: wit_bindgen::StreamWriter<u8>,
    // Dropped with the stream, which sends "no trailers".
    _trailers: wit_bindgen::FutureWriter<Trailers>,
}

impl Writer {
    /// Sends one frame. False: the client has left.
    pub async fn send(&mut self, frame: Vec<u8>) -> bool {
        self.bytes.write_all(frame).await.is_empty()
    }
}

/// An answer of server-sent events and the end to write them to.
///
/// # Errors
/// `Unavailable` where the host refuses the headers.
pub fn event_stream() -> Result<(Answer, Writer), Error> {
    let (bytes, reader) = wit_stream::new::<u8>();
    let (trailers, trailers_reader) = wit_future::new::<Trailers>(|| Ok(None));
    let own = [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")];
    let headers: Vec<_> =
        own.iter().chain(&CORS).map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let headers = types::Fields::from_list(&headers)
        .map_err(|error| Error::Unavailable(format!("the host refuses headers: {error:?}")))?;
    let (response, _) = types::Response::new(headers, Some(reader), trailers_reader);
    Ok((Answer::Stream(response), Writer { bytes, _trailers: trailers }))
}
