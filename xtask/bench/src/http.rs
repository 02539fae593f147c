//! The least HTTP/1.1 that a load generator needs: one kept-alive connection, one request at a time,
//! so that measuring costs the server's processor as little as possible.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::room::Service;

/// Longer than any answer may take that is not a failure.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where a service is, and which one it is.
#[derive(Clone)]
pub(crate) struct Address {
    /// `host:port`.
    host: String,
    pub(crate) service: Service,
}

impl Address {
    /// Reads `http://host[:port]`, with or without a slash at the end.
    pub(crate) fn parse(url: &str, service: Service) -> Result<Self> {
        let Some(host) = url.strip_prefix("http://") else {
            bail!("{url}: only addresses that begin with http:// can be measured")
        };
        let host = host.trim_end_matches('/');
        if host.is_empty() || host.contains('/') {
            bail!("{url}: expected http://host:port");
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self { host: if has_port { host.to_owned() } else { format!("{host}:80") }, service })
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        let host = &self.host;
        let address = host.to_socket_addrs()?.next().with_context(|| format!("{host} has no address"))?;
        let socket =
            TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("cannot connect to {host}"))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// What the `host` header says.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

/// What an answer's head says.
pub(crate) struct Head {
    pub(crate) status: u16,
    /// With the empty line after it.
    pub(crate) bytes: usize,
    pub(crate) chunked: bool,
    content_length: Option<usize>,
}

impl Head {
    /// `None`: the head goes on.
    ///
    /// # Errors
    /// Fails where this is no answer of HTTP/1.1.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).context("an answer that is no HTTP")? else {
            return Ok(None);
        };
        let value = |name: &str| {
            let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(found.value).ok()
        };
        let content_length = value("content-length").map(str::parse).transpose();
        Ok(Some(Self {
            status: response.code.context("an answer without status")?,
            bytes: length,
            chunked: value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")),
            content_length: content_length.context("an answer whose length is no number")?,
        }))
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// One kept-alive connection.
pub(crate) struct Connection {
    socket: TcpStream,
    host: String,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &Address) -> Result<Self> {
        let socket = address.connect()?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { socket, host: address.host().to_owned(), received: Vec::with_capacity(4096) })
    }

    /// Sends a JSON body and waits for the whole answer. `headers` are lines that end with CR LF.
    pub(crate) fn post(&mut self, path: &str, headers: &str, body: &str) -> Result<Answer> {
        // One write: with two, the second would wait for the server's acknowledgement of the first.
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            self.host,
            body.len()
        );
        self.socket.write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Answer> {
        self.received.clear();
        let head = loop {
            if let Some(head) = Head::parse(&self.received)? {
                break head;
            }
            self.receive()?;
        };
        let Head { status, bytes: head, content_length, .. } = head;
        let length = match content_length {
            Some(length) => length,
            None if status == 204 => 0,
            None => bail!("an answer ({status}) without content-length"),
        };
        while self.received.len() < head + length {
            self.receive()?;
        }
        Ok(Answer { status, body: self.received[head..head + length].to_vec() })
    }

    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        let count = self.socket.read(&mut buffer).context("no answer in time")?;
        if count == 0 {
            bail!("the server closed the connection before its answer was complete");
        }
        self.received.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_a_port() {
        let host = |url| Address::parse(url, Service::Buddy).map(|address| address.host).ok();
        assert_eq!(host("http://127.0.0.1:3000/").as_deref(), Some("127.0.0.1:3000"));
        assert_eq!(host("http://buddy.test").as_deref(), Some("buddy.test:80"));
        assert_eq!(host("https://buddy.test"), None);
        assert_eq!(host("http://buddy.test/r/1"), None);
    }
}
