//! One statement at a time on a connection to a server. libSQL's client sends a second one down the same stream
//! before the first has ended, and the server then never answers again, neither these nor anybody else's. Writers
//! that meet there cost each other seconds, so those of one instance never do.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use buddy_host::sleep;

use crate::database::Database;

/// How long a statement waits for those before it. At the pace of a server that is well this is hundreds of them.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often whoever is next looks whether it is their turn. Tasks of an instance cannot wake each other.
const LOOK: Duration = Duration::from_micros(200);
/// Those further back look so much less often.
const LOOK_FAR: Duration = Duration::from_millis(4);

thread_local! {
    static QUEUES: RefCell<HashMap<Database, Queue>> = RefCell::default();
}

#[derive(Default)]
struct Queue {
    last: u64,
    tickets: VecDeque<u64>,
}

/// A statement's place in its connection's queue, given up when this is dropped.
pub(crate) struct Place {
    database: Database,
    ticket: u64,
}

impl Place {
    /// Waits until nobody is before it. `None`: that has lasted too long.
    pub(crate) async fn first(database: &Database) -> Option<Self> {
        let ticket = QUEUES.with_borrow_mut(|queues| {
            let queue = queues.entry(database.clone()).or_default();
            queue.last += 1;
            queue.tickets.push_back(queue.last);
            queue.last
        });
        let place = Self { database: database.clone(), ticket };
        let began = Instant::now();
        loop {
            match place.before() {
                0 => return Some(place),
                _ if began.elapsed() > PATIENCE => return None,
                1 => sleep(LOOK).await,
                before => sleep((LOOK * before).min(LOOK_FAR)).await,
            }
        }
    }

    /// How many are before it.
    fn before(&self) -> u32 {
        QUEUES.with_borrow(|queues| {
            let tickets = &queues[&self.database].tickets;
            tickets.iter().take_while(|ticket| **ticket != self.ticket).count() as u32
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        QUEUES.with_borrow_mut(|queues| {
            if let Some(queue) = queues.get_mut(&self.database) {
                queue.tickets.retain(|ticket| *ticket != self.ticket);
            }
        });
    }
}
