//! The component for operators: which database owns which slot, figures, sweeping. To anyone else it is not there.

mod metrics;

use buddy_domain::{Error, MoveSlot};
use buddy_host::api::{json, operator, text};
use buddy_host::http::{Answer, Request};
use buddy_host::{now_ms, variables};
use buddy_store::database::Database;
use buddy_store::{moving, slot, sweep};
use serde_json::json;

buddy_host::serve_api!(handle);

async fn handle(request: Request) -> Result<Answer, Error> {
    if !operator(&request.caller).await? {
        return Err(Error::NotFound);
    }
    let is = |method: &str| request.caller.method == method;
    match request.caller.segments().as_slice() {
        ["internal", "router"] if is("GET") => map().await,
        ["internal", "router"] => Err(Error::MethodNotAllowed("GET")),
        ["internal", "router", "slots", slot, "move"] => {
            let slot = slot_number(slot)?;
            if is("POST") { move_slot(request, slot).await } else { Err(Error::MethodNotAllowed("POST")) }
        }
        ["internal", "metrics"] if is("GET") => Ok(text(metrics::MEDIA_TYPE, metrics::metrics().await?)),
        ["internal", "metrics"] => Err(Error::MethodNotAllowed("GET")),
        ["internal", "sweep"] if is("POST") => sweep_all().await,
        ["internal", "sweep"] => Err(Error::MethodNotAllowed("POST")),
        _ => Err(Error::NotFound),
    }
}

async fn map() -> Result<Answer, Error> {
    let databases = variables::databases().await?;
    let slots: Vec<_> = slot::map()
        .await?
        .into_iter()
        .map(|owned| json!({"slot": format!("{:02x}", owned.slot), "database": owned.database, "epoch": owned.epoch, "state": owned.state}))
        .collect();
    Ok(json(200, &json!({"databases": databases, "slots": slots})))
}

/// A slot as the map writes it: two lowercase hex characters.
fn slot_number(text: &str) -> Result<u8, Error> {
    u8::from_str_radix(text, 16).ok().filter(|slot| format!("{slot:02x}") == text).ok_or(Error::NotFound)
}

/// 202 and how far it has come, until the slot has arrived and nothing is left behind: then 200.
async fn move_slot(request: Request, slot: u8) -> Result<Answer, Error> {
    let wanted = MoveSlot::parse(&request.body(false).await?)?;
    let progress = moving::move_slot(slot, &wanted.to).await?;
    let status = if progress.state == "open" { 200 } else { 202 };
    Ok(json(
        status,
        &json!({
            "slot": format!("{slot:02x}"),
            "to": wanted.to,
            "state": progress.state,
            "rooms": progress.rooms,
            "rooms_copied": progress.rooms_copied,
        }),
    ))
}

/// How long a call sweeps.
const SWEEP_MS: i64 = 2000;

/// 202 while there is more that has expired than there was time to delete: then 200.
async fn sweep_all() -> Result<Answer, Error> {
    let labels = variables::databases().await?;
    let mut is_done = true;
    let share_ms = SWEEP_MS / i64::try_from(labels.len()).unwrap_or(SWEEP_MS);
    for label in &labels {
        is_done &= sweep::all(&Database::new(label), now_ms() + share_ms).await?;
    }
    Ok(json(if is_done { 200 } else { 202 }, &json!({"is_done": is_done})))
}
