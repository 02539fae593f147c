//! The table `address`: how often an address did something lately. Addresses are hashed with what is counted.

use buddy_domain::Error;

use crate::database::Database;

/// Counts once more unless that would be one too many: `?1` address, `?2` end of a window that begins now,
/// `?3` limit, `?4` now. A window begins with the first thing in it.
const COUNT: &str = "INSERT INTO address(address,ends_at_ms,count) VALUES(?1,?2,1)
  ON CONFLICT(address) DO UPDATE SET count=CASE WHEN ends_at_ms>?4 THEN count+1 ELSE 1 END,
    ends_at_ms=CASE WHEN ends_at_ms>?4 THEN ends_at_ms ELSE excluded.ends_at_ms END
  WHERE address.ends_at_ms<=?4 OR address.count<?3 RETURNING count";
const ENDS: &str = "SELECT ends_at_ms FROM address WHERE address=?1 LIMIT 1";

/// # Errors
/// `RateLimited` over `limit` in a window of so many milliseconds; `Unavailable`.
pub(crate) async fn count(
    database: &Database,
    address: &[u8],
    limit: i64,
    window_ms: i64,
    now: i64,
) -> Result<(), Error> {
    let counted = [address.to_vec().into(), (now + window_ms).into(), limit.into(), now.into()];
    if limit > 0 && !database.run(COUNT, &counted).await?.is_empty() {
        return Ok(());
    }
    let ends = database.row(ENDS, &counted[..1]).await?.map(|mut row| row.take("ends_at_ms")).transpose()?;
    let wait_ms = ends.unwrap_or(now + window_ms) - now;
    Err(Error::RateLimited { retry_after_s: wait_ms.max(0) / 1000 + 1 })
}
