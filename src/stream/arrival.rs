//! Access for those who arrive together. After a restart a room's readers all come back at once; one look at the
//! database answers everybody who was here before it began, instead of one after another each with a look of
//! their own. Nobody is answered from what was read before they came.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use buddy_domain::{Access, Error, RoomId};
use buddy_host::{random, sleep};
use buddy_store::room::{self, Room};

/// The room and the caller's token, which settle the answer.
type Question = ([u8; 32], Option<[u8; 32]>);

/// What is known of a question that several callers have.
#[derive(Default)]
struct Asked {
    under_way: bool,
    /// The newest answer and when its question was asked. `None`: there is no such room for them.
    answer: Option<(u64, Option<Room>)>,
    waiting: usize,
}

thread_local! {
    static ASKED: RefCell<HashMap<Question, Asked>> = RefCell::default();
    /// Counts arrivals and questions, so that one can tell which came first.
    static MOMENT: Cell<u64> = const { Cell::new(0) };
}

/// A room that the caller may read.
///
/// # Errors
/// `RoomNotFound` where there is none or the caller may not read it; `Unavailable`.
pub(crate) async fn read(id: &RoomId, access: &Access) -> Result<Room, Error> {
    let question = (id.bytes(), access.token.map(|token| token.bytes()));
    let arrived = moment();
    let waiting = Waiting::begin(question);
    loop {
        match waiting.look(arrived) {
            Look::Answered(room) => return room.ok_or(Error::RoomNotFound),
            Look::Ask => {
                let asking = Asking::begin(question);
                let answer = room::read(id, access).await;
                match &answer {
                    Ok(room) => asking.answered(Some(room.clone())),
                    Err(Error::RoomNotFound) => asking.answered(None),
                    // Whoever waits asks for themselves.
                    Err(_) => {}
                }
                return answer;
            }
            // Tasks of an instance cannot wake each other.
            Look::Wait => sleep(Duration::from_micros(300 + u64::from(random::<1>()[0]) * 2)).await,
        }
    }
}

fn moment() -> u64 {
    MOMENT.set(MOMENT.get() + 1);
    MOMENT.get()
}

enum Look {
    Answered(Option<Room>),
    Ask,
    Wait,
}

/// Somebody who has a question. The last one takes what is known of it away.
struct Waiting(Question);

impl Waiting {
    fn begin(question: Question) -> Self {
        ASKED.with_borrow_mut(|asked| asked.entry(question).or_default().waiting += 1);
        Self(question)
    }

    fn look(&self, arrived: u64) -> Look {
        ASKED.with_borrow(|asked| {
            let asked = &asked[&self.0];
            match &asked.answer {
                Some((begun, room)) if *begun > arrived => Look::Answered(room.clone()),
                _ if asked.under_way => Look::Wait,
                _ => Look::Ask,
            }
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        ASKED.with_borrow_mut(|asked| {
            let Some(entry) = asked.get_mut(&self.0) else { return };
            entry.waiting -= 1;
            if entry.waiting == 0 {
                asked.remove(&self.0);
            }
        });
    }
}

/// A look at the database that is under way, and over when this is dropped.
struct Asking {
    question: Question,
    begun: u64,
}

impl Asking {
    fn begin(question: Question) -> Self {
        ASKED.with_borrow_mut(|asked| asked.entry(question).or_default().under_way = true);
        Self { question, begun: moment() }
    }

    fn answered(&self, room: Option<Room>) {
        ASKED.with_borrow_mut(|asked| asked.entry(self.question).or_default().answer = Some((self.begun, room)));
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKED.with_borrow_mut(|asked| {
            if let Some(entry) = asked.get_mut(&self.question) {
                entry.under_way = false;
            }
        });
    }
}
