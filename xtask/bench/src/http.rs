//! The least HTTP/1.1 that a load generator needs: one kept-alive connection, one request at a time,
//! so that measuring costs the server's processor as little as possible.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Longer than any answer may take that is not a failure.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where the server is, as `host:port`.
#[derive(Clone)]
pub(crate) struct Address(String);

impl Address {
    /// Reads `http://host[:port]`, with or without a slash at the end.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let Some(host) = url.strip_prefix("http://") else {
            bail!("{url}: only addresses that begin with http:// can be measured")
        };
        let host = host.trim_end_matches('/');
        if host.is_empty() || host.contains('/') {
            bail!("{url}: expected http://host:port");
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self(if has_port { host.to_owned() } else { format!("{host}:80") }))
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        let address = self.0.to_socket_addrs()?.next().with_context(|| format!("{} has no address", self.0))?;
        let socket =
            TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("cannot connect to {}", self.0))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// What the `host` header says.
    pub(crate) fn host(&self) -> &str {
        &self.0
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
            if let Some(end) = memchr::memmem::find(&self.received, b"\r\n\r\n") {
                break end + 4;
            }
            self.receive()?;
        };
        let text = std::str::from_utf8(&self.received[..head]).context("an answer whose head is not text")?;
        let status =
            text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("an answer without status")?;
        let length = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map(|(_, length)| length.trim().parse::<usize>());
        let length = match length {
            Some(length) => length.context("an answer whose length is no number")?,
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
        let host = |url| Address::parse(url).map(|address| address.0).ok();
        assert_eq!(host("http://127.0.0.1:3000/").as_deref(), Some("127.0.0.1:3000"));
        assert_eq!(host("http://buddy.test").as_deref(), Some("buddy.test:80"));
        assert_eq!(host("https://buddy.test"), None);
        assert_eq!(host("http://buddy.test/r/1"), None);
    }
}
