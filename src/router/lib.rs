//! The component for operators: which database owns which slot. To anyone else it is not there.

use buddy_domain::Error;
use buddy_host::api::{json, operator};
use buddy_host::http::{Answer, Request};
use buddy_host::variables;
use buddy_store::slot;
use serde_json::json;

buddy_host::serve_api!(handle);

async fn handle(request: Request) -> Result<Answer, Error> {
    if !operator(&request.caller).await? {
        return Err(Error::NotFound);
    }
    match request.caller.segments().as_slice() {
        ["internal", "router"] if request.caller.method == "GET" => map().await,
        ["internal", "router"] => Err(Error::MethodNotAllowed("GET")),
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
