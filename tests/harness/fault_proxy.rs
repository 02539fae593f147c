//! A loopback proxy that treats connections as badly as a network may: it cuts, stalls, delays and splits them
//! at random byte positions. It never alters, adds or reorders a byte, as TCP would not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// A proxy before servers, whose addresses may change while it runs. Each connection goes to the next of them.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstreams: Mutex<Vec<String>>,
    calm: AtomicBool,
    /// Counts how often all connections were cut at once.
    herds: watch::Sender<u64>,
    connections: AtomicU64,
    cuts: AtomicU64,
    stalls: AtomicU64,
}

/// What one direction of a connection has to suffer.
struct Plan {
    random: StdRng,
    /// After how many bytes it is cut off; none: never.
    cut_after: Option<usize>,
}

impl FaultProxy {
    /// `upstreams` are hosts and ports. What happens to the n-th connection follows from `seed` and n alone.
    pub(crate) async fn start(upstreams: Vec<String>, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            upstreams: Mutex::new(upstreams),
            calm: AtomicBool::new(false),
            herds: watch::Sender::new(0),
            connections: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), seed));
        Self { address, shared, accepting }
    }

    /// Host and port for clients.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Where connections made from now on go to.
    pub(crate) fn set_upstreams(&self, upstreams: Vec<String>) {
        *self.shared.upstreams.lock().expect("nobody panics with the lock") = upstreams;
    }

    /// Cuts all connections at once.
    pub(crate) fn cut_all(&self) {
        self.shared.herds.send_modify(|herds| *herds += 1);
    }

    /// From now on bytes pass unharmed, on open connections too.
    pub(crate) fn calm_down(&self) {
        self.shared.calm.store(true, Ordering::Relaxed);
    }

    /// How many connections were made, cut and stalled so far.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.shared.connections), read(&self.shared.cuts), read(&self.shared.stalls))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, seed: u64) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let number = shared.connections.fetch_add(1, Ordering::Relaxed);
        // Spread the numbers over the whole range of seeds, so that neighbours share nothing.
        let random = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        tokio::spawn(carry(client, number, Arc::clone(&shared), random));
    }
}

async fn carry(client: TcpStream, number: u64, shared: Arc<Shared>, mut random: StdRng) {
    let upstream = {
        let upstreams = shared.upstreams.lock().expect("nobody panics with the lock");
        upstreams[number as usize % upstreams.len()].clone()
    };
    // A dead server refuses: then the client's connection ends at once, as it would without a proxy.
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let mut plan = || Plan {
        cut_after: random.random_bool(0.5).then(|| {
            // Many cuts fall into the head of a request or an answer, others far into a stream.
            let reach = [40, 400, 4_000, 40_000, 400_000][random.random_range(0..5)];
            random.random_range(0..reach)
        }),
        random: StdRng::seed_from_u64(random.random()),
    };
    let (up, down) = (plan(), plan());
    let mut herds = shared.herds.subscribe();
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    // Either direction ending badly ends both; a proper end is passed on.
    tokio::select! {
        _ = pump(client_reads, server_writes, &shared, up) => {}
        _ = pump(server_reads, client_writes, &shared, down) => {}
        _ = herds.changed() => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, mut plan: Plan) {
    let mut buffer = vec![0; 16 * 1024];
    let mut passed = 0;
    loop {
        let calm = || shared.calm.load(Ordering::Relaxed);
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            if calm() {
                if to.write_all(rest).await.is_err() {
                    return;
                }
                break;
            }
            let mut piece = plan.random.random_range(1..=rest.len());
            if let Some(cut) = plan.cut_after {
                piece = piece.min(cut.saturating_sub(passed));
                if piece == 0 {
                    shared.cuts.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
            match plan.random.random_range(0..1000) {
                0..=4 => {
                    shared.stalls.fetch_add(1, Ordering::Relaxed);
                    let mut left = plan.random.random_range(200..4000);
                    while left > 0 && !calm() {
                        sleep(Duration::from_millis(50)).await;
                        left -= left.min(50);
                    }
                }
                5..=99 => sleep(Duration::from_millis(plan.random.random_range(1..30))).await,
                _ => {}
            }
            if to.write_all(&rest[..piece]).await.is_err() {
                return;
            }
            passed += piece;
            rest = &rest[piece..];
        }
    }
}
