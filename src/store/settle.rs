//! Storing what a client sends by one statement. Where it gives no row, a second one, which only reads, says why. A slot
//! that is about to be elsewhere is waited for, and one that is there is followed.

use std::time::Duration;

use buddy_domain::{Address, Error, RoomId};
use buddy_host::sqlite::{Row, Value};
use buddy_host::{now_ms, sleep};

use crate::database::Database;
use crate::{refusals, room, slot};

/// How often and how long a slot that is about to be elsewhere is waited for.
const FROZEN_WAITS: u32 = 20;
const FROZEN_PAUSE: Duration = Duration::from_millis(25);

/// What is to be stored, and who sends it.
pub(crate) struct Attempt<'a> {
    /// As messages for the log call it.
    pub(crate) what: &'static str,
    pub(crate) id: &'a RoomId,
    pub(crate) from: &'a Address,
    /// The limits of the address alone, under which refusals count.
    pub(crate) limits: &'a str,
    /// Gives a row exactly where it has stored.
    pub(crate) store: &'static str,
    pub(crate) why: &'static str,
    /// Of `store`; the fourth is now. `why` takes as many of them as `why_takes` says.
    pub(crate) parameters: Vec<Value>,
    pub(crate) why_takes: usize,
    /// When the request began.
    pub(crate) now: i64,
}

/// What is stored, and where. `repeated`: it had been before.
pub(crate) struct Settled<T> {
    pub(crate) database: Database,
    pub(crate) outcome: T,
    pub(crate) repeated: bool,
}

/// Why nothing was stored, where that is no error of the caller's.
pub(crate) enum Reason<T> {
    Elsewhere,
    Frozen,
    Repeated(T),
    /// None that lasts: it can be tried again.
    Gone,
}

impl<T> Reason<T> {
    /// What is left where nothing speaks against it.
    pub(crate) fn of_none(is_frozen: bool) -> Self {
        if is_frozen { Self::Frozen } else { Self::Gone }
    }
}

/// Refuses who may not write, by a row of `why`. Otherwise whether the slot is frozen; `None`: it is elsewhere.
///
/// # Errors
/// `RoomNotFound`, `RoomGone`, `Renewed`, `NotAllowed`.
pub(crate) fn may_write(row: &mut Row) -> Result<Option<bool>, Error> {
    let state: String = row.take("state")?;
    if !matches!(state.as_str(), "open" | "frozen") {
        return Ok(None);
    }
    let farewell = row.take("farewell")?;
    if !row.take::<bool>("found")? {
        return Err(room::missing(farewell));
    }
    if !row.take::<bool>("reads")? {
        return Err(Error::Renewed);
    }
    if !row.take::<bool>("posts")? {
        return Err(Error::NotAllowed("This token may read the room, not write to it."));
    }
    Ok(Some(state == "frozen"))
}

impl Attempt<'_> {
    /// Stores it, once. Where this instance refused the address or something for the room lately, it asks for a reason
    /// first: what will be refused is not to hold up those who write.
    ///
    /// # Errors
    /// Those of `reason`; `Unavailable`.
    pub(crate) async fn settle<T>(
        mut self,
        mut database: Database,
        stored: impl Fn(Row) -> Result<T, Error>,
        reason: impl Fn(Row) -> Result<Reason<T>, Error>,
    ) -> Result<Settled<T>, Error> {
        let mut ask_first = refusals::expected(self.id, self.from, self.now);
        let (mut waited, mut tries) = (0, 0);
        while tries < 4 {
            self.parameters[3] = now_ms().into();
            if !std::mem::take(&mut ask_first)
                && let Some(row) = database.row(self.store, &self.parameters).await?
            {
                return Ok(Settled { database, outcome: stored(row)?, repeated: false });
            }
            let why = match database.row(self.why, &self.parameters[..self.why_takes]).await? {
                Some(row) => reason(row),
                None => Ok(Reason::Elsewhere),
            };
            match why {
                Ok(Reason::Repeated(outcome)) => return Ok(Settled { database, outcome, repeated: true }),
                Ok(Reason::Frozen) => {
                    waited += 1;
                    if waited > FROZEN_WAITS {
                        return Err(Error::Unavailable(format!("slot {:02x} is moving", self.id.slot())));
                    }
                    sleep(FROZEN_PAUSE).await;
                    database = slot::relocate(self.id.slot()).await?;
                }
                Ok(Reason::Elsewhere) => {
                    tries += 1;
                    database = slot::relocate(self.id.slot()).await?;
                }
                Ok(Reason::Gone) => tries += 1,
                Err(refusal) => {
                    refusals::note(&database, self.id, self.from, self.limits, &refusal, self.now).await?;
                    return Err(refusal);
                }
            }
        }
        let (id, what) = (self.id.short(), self.what);
        Err(Error::Unavailable(format!("room {id}: {what} was refused for no reason that lasts")))
    }
}
