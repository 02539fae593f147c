//! The table `address`: how often an address did something lately, under keys that hide it (`Address::limits`).
//! A window begins with the first thing in it.

use buddy_domain::Error;
use serde_json::{Map, Value as Json};

use crate::database::Database;

/// Keys and how often each may, as statements take them: a JSON object. `known` things are counted already,
/// though no table says so.
pub(crate) fn limits(limits: impl IntoIterator<Item = (String, i64)>, known: i64) -> String {
    let limits: Map<_, _> = limits.into_iter().map(|(key, limit)| (key, Json::from(limit - known))).collect();
    Json::Object(limits).to_string()
}

/// Counts `?3` more under each key of `?1`, unless one is used up: `?2` now, `?4` the window.
const COUNT: &str = "INSERT INTO address(address,ends_at_ms,count) SELECT j.key,?2+?4,?3 FROM json_each(?1) j
  WHERE NOT EXISTS(SELECT 1 FROM json_each(?1) k LEFT JOIN address a ON a.address=k.key AND a.ends_at_ms>?2
    WHERE coalesce(a.count,0)>=k.value)
  ON CONFLICT(address) DO UPDATE SET count=CASE WHEN ends_at_ms>?2 THEN count+?3 ELSE ?3 END,
    ends_at_ms=CASE WHEN ends_at_ms>?2 THEN ends_at_ms ELSE excluded.ends_at_ms END RETURNING count";
const ENDS: &str = "SELECT coalesce(max(coalesce(a.ends_at_ms,?2+?4)),0) AS ends_at_ms, ?3 AS times
  FROM json_each(?1) k LEFT JOIN address a ON a.address=k.key AND a.ends_at_ms>?2
  WHERE coalesce(a.count,0)>=k.value LIMIT 1";

/// # Errors
/// `RateLimited` where a key is used up; `Unavailable`.
pub(crate) async fn count(
    database: &Database,
    limits: &str,
    times: i64,
    window_ms: i64,
    now: i64,
) -> Result<(), Error> {
    let parameters = [limits.into(), now.into(), times.into(), window_ms.into()];
    if !database.run(COUNT, &parameters).await?.is_empty() {
        return Ok(());
    }
    let ends: i64 = database.row(ENDS, &parameters).await?.map_or(Ok(0), |mut row| row.take("ends_at_ms"))?;
    Err(Error::RateLimited { retry_after_s: (ends - now).max(0) / 1000 + 1 })
}
