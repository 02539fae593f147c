//! Telling all who registered, beside the request that asked for it. Who cannot be told now is told with the next
//! message; what a push service no longer knows is forgotten.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use buddy_domain::{Error, Registration};
use buddy_host::{http::post, log};
use buddy_store::push::{self, Due};
use buddy_store::room::Room;
use futures::StreamExt;
use futures::stream;
use http::header::HeaderValue;

use crate::sender::Sender;

/// How long a push service may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many are asked at once.
const AT_ONCE: usize = 16;

pub(crate) async fn all(sender: Sender, due: Due) {
    let services = sender.services();
    let authorizations: HashMap<_, _> =
        services.iter().map(|service| (service.as_str(), sender.authorization(service))).collect();
    let outcomes = stream::iter(&due.registrations).map(|registration| {
        let service = registration.service(services);
        let authorization = service.and_then(|service| authorizations.get(service)).cloned();
        one(&sender, &due.room, registration, service.unwrap_or("a former push service"), authorization)
    });
    let mut failures: BTreeMap<String, u32> = BTreeMap::new();
    let mut outcomes = outcomes.buffer_unordered(AT_ONCE);
    while let Some(failure) = outcomes.next().await {
        if let Some(failure) = failure {
            *failures.entry(failure).or_default() += 1;
        }
    }
    for (failure, times) in failures {
        log(format_args!("push: {failure} ({times} of {})", due.registrations.len()));
    }
}

/// What went wrong, for the log.
async fn one(
    sender: &Sender,
    room: &Room,
    registration: &Registration,
    service: &str,
    authorization: Option<HeaderValue>,
) -> Option<String> {
    let Some(authorization) = authorization else { return Some(format!("{service} is not asked")) };
    let request = match sender.request(registration, authorization) {
        Ok(request) => request,
        Err(cause) => return Some(format!("a registration with {service} is of no use: {cause}")),
    };
    match post(request, DEADLINE).await {
        Ok(200..=299) => None,
        // RFC 8030, section 7.3: the registration has ended.
        Ok(404 | 410) => match push::forget(room, &registration.endpoint).await {
            Err(Error::Unavailable(cause)) => Some(format!("a registration that has ended stays: {cause}")),
            _ => None,
        },
        Ok(status) => Some(format!("{service} answered {status}")),
        Err(cause) => Some(format!("{service}: {cause}")),
    }
}
