//! The table `card`: the newest card of each author, which a trigger on the log keeps. It outlives the log's retention.

use buddy_domain::{Error, Event, MembersPage, SentCard};
use buddy_host::sqlite::Row;

use crate::room::Room;

/// A page of cards ends with the one that brings it to so many bytes of JSON.
const PAGE_BYTES: usize = 1 << 20;

const AFTER: &str = "SELECT seq, client_id, author, sent_at_ms, epoch, body FROM card
  WHERE room_id=?1 AND seq>?2 ORDER BY seq LIMIT ?3+1";

/// The cards after a sequence, ascending, and whether there are more.
///
/// # Errors
/// `Unavailable`.
pub async fn after(room: &Room, page: &MembersPage) -> Result<(Vec<SentCard>, bool), Error> {
    let parameters = [room.key.id.into(), page.after.into(), page.limit.into()];
    let mut cards: Vec<SentCard> =
        room.database.run(AFTER, &parameters).await?.into_iter().map(card).collect::<Result<_, _>>()?;
    let mut bytes = 0;
    let fitting = cards.iter().take_while(|card| {
        let fits = bytes < PAGE_BYTES;
        bytes += serde_json::to_vec(card).expect("a card is plain data").len();
        fits
    });
    let shown = fitting.count().min(usize::try_from(page.limit).unwrap_or(usize::MAX));
    let more = cards.len() > shown;
    cards.truncate(shown);
    Ok((cards, more))
}

fn card(mut row: Row) -> Result<SentCard, Error> {
    let seq = row.take("seq")?;
    let client_id = uuid::Uuid::from_bytes(row.take("client_id")?).hyphenated().to_string();
    let author: [u8; 16] = row.take("author")?;
    let (sent_at_ms, epoch, body): (i64, i64, String) =
        (row.take("sent_at_ms")?, row.take("epoch")?, row.take("body")?);
    let (kind, author) = ("card".to_owned(), Some(hex::encode(author)));
    let event =
        Event { seq, kind, client_id, author, target: None, body, sent_at_ms, epoch: Some(epoch), erased: None };
    Ok(SentCard { event, epoch })
}
