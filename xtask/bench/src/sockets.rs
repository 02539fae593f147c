//! The physical limit of delivery: a bare loop that writes one message to many sockets on loopback.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};

/// What such a loop took.
#[derive(Serialize, Deserialize)]
pub(crate) struct Writes {
    pub(crate) sockets: usize,
    /// Median of one pass over all sockets, in milliseconds.
    pub(crate) pass_ms: f64,
    pub(crate) us_per_write: f64,
}

/// A message's bytes as a stream carries it: chunk, fields and JSON.
const MESSAGE_BYTES: usize = 780;
const PASSES: usize = 50;
/// The rate at which messages are sent in the measurement beside it.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes a message to each of `sockets` in turn, again and again, while another thread reads.
pub(crate) fn measure(sockets: usize) -> Result<Writes> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..sockets {
        readers.push(TcpStream::connect(address)?);
        writers.push(listener.accept()?.0);
    }
    let over = AtomicBool::new(false);
    let message = [b'x'; MESSAGE_BYTES];
    let mut passes = thread::scope(|scope| -> Result<Vec<Duration>> {
        let reading = scope.spawn(|| read(readers, &over));
        let mut passes = Vec::new();
        for _ in 0..PASSES {
            thread::sleep(PAUSE);
            let started = Instant::now();
            for socket in &mut writers {
                socket.write_all(&message)?;
            }
            passes.push(started.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        reading.join().expect("the reader does not panic")?;
        Ok(passes)
    })?;
    passes.sort_unstable();
    let pass_ms = passes[PASSES / 2].as_secs_f64() * 1e3;
    Ok(Writes { sockets, pass_ms, us_per_write: pass_ms * 1e3 / sockets as f64 })
}

fn read(sockets: Vec<TcpStream>, over: &AtomicBool) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut readers = Vec::new();
    for socket in sockets {
        socket.set_nonblocking(true)?;
        let mut socket = mio::net::TcpStream::from_std(socket);
        poll.registry().register(&mut socket, Token(readers.len()), Interest::READABLE)?;
        readers.push(socket);
    }
    let mut buffer = [0; 16 * 1024];
    while !over.load(Ordering::Relaxed) {
        poll.poll(&mut events, Some(Duration::from_millis(10))).context("waiting for messages")?;
        for event in &events {
            match readers[event.token().0].read(&mut buffer) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
