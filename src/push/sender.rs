//! Who sends: the deployment's key, address and push services, and the requests that it makes of them. Sealing is
//! `web-push-native`'s (RFC 8291); here is who vouches for it (VAPID, RFC 8292).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use buddy_domain::{Error, Registration};
use buddy_host::{now_ms, variables};
use http::header::{AUTHORIZATION, HeaderValue};
use p256::PublicKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::json;
use web_push_native::{Auth, WebPushBuilder};

/// How long a push service keeps a message for a browser that is away.
const KEPT: Duration = Duration::from_secs(86_400);
/// How long a token vouches for its requests, in seconds; RFC 8292 allows a day.
const VOUCHED_S: i64 = 43_200;

pub(crate) struct Sender {
    key: SigningKey,
    address: String,
    services: Vec<String>,
}

impl Sender {
    /// # Errors
    /// `PushOff` without a key; `Unavailable` where a variable is not what it must be.
    pub(crate) async fn read() -> Result<Self, Error> {
        let secret = variables::text("push_key").await?;
        if secret.is_empty() {
            return Err(Error::PushOff);
        }
        let key = BASE64URL
            .decode(secret.trim().trim_end_matches('='))
            .ok()
            .and_then(|key| SigningKey::from_slice(&key).ok());
        let key = key.ok_or_else(|| {
            Error::Unavailable("the variable push_key is no private key of P-256 in base64url".to_owned())
        })?;
        let address = variables::text("public_address").await?;
        if !address.starts_with("https://") || address.ends_with('/') {
            let wanted = "the variable public_address is no https:// address without a slash at its end";
            return Err(Error::Unavailable(wanted.to_owned()));
        }
        let services = variables::text("push_services").await?;
        let services = services.split(',').map(|origin| origin.trim().to_owned()).collect();
        Ok(Self { key, address, services })
    }

    /// The origins of the push services that are known.
    pub(crate) fn services(&self) -> &[String] {
        &self.services
    }

    /// An uncompressed point in base64url, as `PushManager.subscribe` takes it.
    pub(crate) fn public_key(&self) -> String {
        BASE64URL.encode(self.key.verifying_key().to_encoded_point(false))
    }

    /// What everybody is told, in the declarative form (WebKit), which needs no script. It names no room: a browser
    /// knows which one by the registration.
    pub(crate) fn message(&self) -> String {
        format!(
            r#"{{"web_push":8030,"mutable":true,"notification":{{"title":"Buddy","body":"New messages","navigate":{}}}}}"#,
            json!(format!("{}/", self.address)),
        )
    }

    /// The header by which a push service knows who sends, good for all messages to it.
    pub(crate) fn authorization(&self, service: &str) -> HeaderValue {
        let claims = json!({"aud": service, "exp": now_ms() / 1000 + VOUCHED_S, "sub": self.address});
        let header = json!({"typ": "JWT", "alg": "ES256"});
        let signed = [header, claims].map(|part| BASE64URL.encode(part.to_string())).join(".");
        let signature: Signature = self.key.sign(signed.as_bytes());
        let token = format!("{signed}.{}", BASE64URL.encode(signature.to_bytes()));
        let value = HeaderValue::try_from(format!("vapid t={token}, k={}", self.public_key()));
        value.expect("base64url can stand in a header")
    }

    /// The message, sealed for one registration.
    ///
    /// # Errors
    /// Says what is wrong with the registration, without any of it.
    pub(crate) fn request(
        &self,
        registration: &Registration,
        authorization: HeaderValue,
    ) -> Result<http::Request<Vec<u8>>, &'static str> {
        let endpoint = registration.endpoint.parse().map_err(|_| "its endpoint is no URL")?;
        let key = PublicKey::from_sec1_bytes(&registration.p256dh).map_err(|_| "its key is none")?;
        let builder = WebPushBuilder::new(endpoint, key, Auth::from(registration.auth)).with_valid_duration(KEPT);
        let mut request = builder.build(self.message()).map_err(|_| "it cannot be sealed for")?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert("urgency", HeaderValue::from_static("normal"));
        // A message that nobody fetched yet is replaced by the next one.
        headers.insert("topic", HeaderValue::from_static("buddy"));
        Ok(request)
    }
}

/// # Errors
/// `InvalidRequest` where nothing can be sealed for the registration, or sent to it.
pub(crate) fn need_key(registration: &Registration) -> Result<(), Error> {
    if registration.endpoint.parse::<http::Uri>().is_err() {
        return Err(Error::invalid("The endpoint is no URL."));
    }
    match PublicKey::from_sec1_bytes(&registration.p256dh) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid("p256dh is no point of the curve P-256.")),
    }
}
