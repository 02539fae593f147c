//! The table `tally`: how often what was refused. An instance adds up in memory and writes now and then, so that a
//! refusal costs no write of its own; what it has not written when it is killed is lost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use buddy_domain::Error;
use buddy_host::{log, sleep, spawn, variables};
use serde_json::json;

use crate::database::Database;

/// How long refusals are gathered. An idle instance lives a little longer.
const PAUSE: Duration = Duration::from_millis(500);

const ADD: &str = "INSERT INTO tally(kind,code,count) SELECT 'refusal',j.key,j.value FROM json_each(?1) j WHERE true
  ON CONFLICT(kind,code) DO UPDATE SET count=count+excluded.count";

thread_local! {
    static REFUSED: RefCell<BTreeMap<&'static str, i64>> = const { RefCell::new(BTreeMap::new()) };
    static IS_GATHERING: Cell<bool> = const { Cell::new(false) };
}

/// Counts a refusal by its code.
pub fn refused(error: &Error) {
    REFUSED.with_borrow_mut(|refused| *refused.entry(error.code()).or_default() += 1);
    if !IS_GATHERING.replace(true) {
        spawn(async {
            sleep(PAUSE).await;
            IS_GATHERING.set(false);
            if let Err(Error::Unavailable(cause)) = write(REFUSED.take()).await {
                log(format_args!("refusals are not counted: {cause}"));
            }
        });
    }
}

/// All stand in the first database, for some belong to none.
async fn write(refused: BTreeMap<&'static str, i64>) -> Result<(), Error> {
    let labels = variables::databases().await?;
    Database::new(&labels[0]).run(ADD, &[json!(refused).to_string().into()]).await.map(drop)
}
