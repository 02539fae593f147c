//! A client that follows a room: what waits for it, and the end to write to.

use std::collections::VecDeque;
use std::rc::Rc;

use buddy_domain::{Mark, RoomId, frame};
use buddy_host::http::Writer;
use buddy_host::now_ms;
use buddy_store::database::Database;
use buddy_store::room::{Room, RowKey};
use futures::future::{AbortHandle, LocalBoxFuture, abortable};
use futures::{FutureExt, TryFutureExt};

use crate::CHUNK_MAX;
use crate::limits::Place;
use crate::poll::{End, Update, renewed};

/// Bytes that may wait for a reader before it is cut off. They are shared with the room's other
/// readers: of its own a reader has one frame at most, the one that is being written.
const QUEUE_MAX: usize = 1 << 20;

/// A write that has ended: the writer comes back unless the client has left.
pub(crate) type Written = (u64, Option<Writer>);

pub(crate) struct Reader {
    pub(crate) id: RoomId,
    pub(crate) database: Database,
    pub(crate) room: RowKey,
    log: Rc<str>,
    /// The sequence that the stream has reached.
    pub(crate) last_seq: i64,
    pub(crate) signal_seq: i64,
    /// The epoch of its token, and the renewal that began it.
    epoch: Option<i64>,
    rotate_seq: i64,
    /// When the room's last event was sent.
    pub(crate) last_at_ms: i64,
    pub(crate) ends_at_ms: i64,
    /// Absent while a write is under way.
    writer: Option<Writer>,
    pub(crate) written_at_ms: i64,
    queue: VecDeque<Rc<[u8]>>,
    queued: usize,
    /// No more frames: the stream ends when the queue is empty.
    pub(crate) ending: bool,
    abort: Option<AbortHandle>,
    _place: Place,
}

/// What there is to do for a reader.
pub(crate) enum Next {
    Nothing,
    Write(LocalBoxFuture<'static, Written>),
    End,
}

impl Reader {
    pub(crate) fn new(id: RoomId, room: &Room, writer: Writer, last_seq: i64, ends_at_ms: i64, place: Place) -> Self {
        Self {
            id,
            database: room.database.clone(),
            room: room.key,
            log: room.log().into(),
            last_seq,
            signal_seq: room.signal_seq,
            epoch: room.epoch,
            rotate_seq: room.rotate_seq,
            last_at_ms: room.last_at_ms,
            ends_at_ms,
            writer: Some(writer),
            written_at_ms: now_ms(),
            queue: VecDeque::new(),
            queued: 0,
            ending: false,
            abort: None,
            _place: place,
        }
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writer.is_none()
    }

    pub(crate) fn is_overrun(&self) -> bool {
        self.queued > QUEUE_MAX
    }

    pub(crate) fn push(&mut self, frame: &Rc<[u8]>) {
        self.queued += frame.len();
        self.queue.push_back(Rc::clone(frame));
    }

    /// Queues what is new to this reader: events, signals, and why its stream ends.
    pub(crate) fn push_update(&mut self, update: &Update) {
        self.push_events(update);
        let is_renewed = update.rotate_seq > self.rotate_seq;
        if is_renewed && self.last_seq >= update.rotate_seq {
            self.end_renewed();
        }
        if self.ending {
            return;
        }
        if let Some(signals) = update.signals.as_ref().filter(|signals| !is_renewed && !signals.frame.is_empty()) {
            self.push(&signals.frame);
        }
        if let Some(end) = &update.end {
            if let End::Closed(frame) = end {
                self.push(frame);
            }
            self.ending = true;
        }
    }

    /// The room's keys were renewed: the token opens nothing any more.
    fn end_renewed(&mut self) {
        if !self.ending {
            self.push(&renewed());
            self.ending = true;
        }
    }

    /// Queues the events that are new to this reader. One that joined further back while they were
    /// read waits for the next ones, which begin where it is.
    fn push_events(&mut self, update: &Update) {
        if self.last_seq < update.after {
            return;
        }
        for event in &update.events {
            if event.seq <= self.last_seq {
                continue;
            }
            // Nothing of a later epoch is for its token, but what began it.
            if event.epoch > self.epoch {
                if event.renews && event.seq == self.last_seq + 1 {
                    self.last_seq = event.seq;
                    self.push(&event.bytes);
                }
                return self.end_renewed();
            }
            if event.seq != self.last_seq + 1 {
                return self.reset(event.seq, update.last_seq);
            }
            self.last_seq = event.seq;
            self.push(&event.bytes);
        }
        if self.last_seq < update.last_seq {
            self.reset(update.last_seq + 1, update.last_seq);
        }
    }

    /// The log has no row any more that would come next: the client is to load the history.
    fn reset(&mut self, first_seq: i64, last_seq: i64) {
        let mark = Mark { log: &self.log, first_seq, last_seq, stream_max_s: None };
        self.push(&frame(Some(last_seq), "reset", &mark).into());
        self.last_seq = last_seq;
    }

    /// Starts the next write, if none is under way and something waits.
    pub(crate) fn next(&mut self, number: u64) -> Next {
        let Some(mut writer) = self.writer.take() else { return Next::Nothing };
        let Some(chunk) = self.chunk() else {
            self.writer = Some(writer);
            return if self.ending { Next::End } else { Next::Nothing };
        };
        self.written_at_ms = now_ms();
        let (write, abort) = abortable(async move { writer.send(chunk).await.then_some(writer) });
        self.abort = Some(abort);
        Next::Write(write.unwrap_or_else(|_| None).map(move |writer| (number, writer)).boxed_local())
    }

    /// Takes as many of the waiting frames as make a chunk; `None`: nothing waits.
    fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut chunk = self.queue.pop_front()?.to_vec();
        while let Some(frame) = self.queue.pop_front_if(|frame| chunk.len() + frame.len() <= CHUNK_MAX) {
            chunk.extend_from_slice(&frame);
        }
        self.queued -= chunk.len();
        Some(chunk)
    }

    pub(crate) fn written(&mut self, writer: Writer) {
        self.writer = Some(writer);
    }
}

impl Drop for Reader {
    /// A write that is under way ends with its reader.
    fn drop(&mut self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}
