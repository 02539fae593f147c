//! A push service over loopback (RFC 8030), and browsers that are registered with it: they open what comes by RFC 8291
//! and see who vouches for it by RFC 8292. Written from the RFCs, and not with what the component seals with.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes128Gcm, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hkdf::Hkdf;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{PublicKey, SecretKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{base64url, client_id, eventually};

/// A message that a service was asked to deliver.
#[derive(Clone, Debug)]
pub struct Push {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Default, Debug)]
struct Shared {
    pushed: Vec<Push>,
    /// What endpoints are answered, other than 201; 0: nothing.
    answers: HashMap<String, u16>,
}

/// A push service. It ends when it is dropped.
#[derive(Debug)]
pub struct PushService {
    origin: String,
    shared: Arc<Mutex<Shared>>,
    _serving: JoinSet<()>,
}

impl PushService {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let origin = format!("http://{}", listener.local_addr().expect("it listens"));
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::clone(&shared)));
        Self { origin, shared, _serving: serving }
    }

    /// Such as `http://127.0.0.1:41234`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Registers a browser.
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(&self.origin)
    }

    /// Answers an endpoint with this status from now on; with 0 not at all.
    pub fn answer(&self, subscription: &Subscription, status: u16) {
        lock(&self.shared).answers.insert(subscription.path().to_owned(), status);
    }

    /// All that it was asked to deliver so far.
    pub fn pushed(&self) -> Vec<Push> {
        lock(&self.shared).pushed.clone()
    }

    /// Waits until it was asked to deliver so many.
    pub async fn pushed_at_least(&self, count: usize) -> Vec<Push> {
        let what = format!("{count} messages are pushed");
        eventually(&what, async || Some(self.pushed()).filter(|pushed| pushed.len() >= count)).await
    }
}

async fn accept(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    // Goes with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { take(&shared, request).await }
            });
            // Senders come and go as they like.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service).await;
        });
    }
}

async fn take(shared: &Mutex<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let path = head.uri.path().to_owned();
    let status = {
        let mut shared = lock(shared);
        shared.pushed.push(Push { path: path.clone(), headers: head.headers, body });
        shared.answers.get(&path).copied().unwrap_or(201)
    };
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let body = Full::new(Bytes::from_static(b"what nobody reads"));
    Ok(Response::builder().status(status).body(body).expect("a valid answer"))
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A browser that is registered with a push service.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub endpoint: String,
    secret: SecretKey,
    auth: [u8; 16],
}

impl Subscription {
    /// One with a service that need not be there.
    pub fn new(origin: &str) -> Self {
        let secret = SecretKey::from_slice(&Sha256::digest(client_id())).expect("nearly every number is a key");
        let auth = Sha256::digest(client_id())[..16].try_into().expect("16 bytes");
        Self { endpoint: format!("{origin}/send/{}", client_id()), secret, auth }
    }

    /// As `PushSubscription.toJSON()` gives it.
    pub fn json(&self) -> Value {
        let point = self.secret.public_key().to_encoded_point(false);
        json!({
            "endpoint": self.endpoint, "expirationTime": null,
            "keys": { "p256dh": base64url(point), "auth": base64url(self.auth) },
        })
    }

    /// The endpoint's path, which is its secret.
    pub fn path(&self) -> &str {
        let after = self.endpoint.find("/send/").expect("an endpoint of this service");
        &self.endpoint[after..]
    }

    /// Opens a message that came to this browser; `None`: it is not sealed for it.
    pub fn open(&self, push: &Push) -> Option<String> {
        open(&self.secret, &self.auth, &push.body)
    }
}

/// Opens a message of one record (RFC 8188, section 2; RFC 8291, section 3.4).
pub fn open(secret: &SecretKey, auth: &[u8; 16], body: &[u8]) -> Option<String> {
    let (salt, rest) = body.split_first_chunk::<16>()?;
    let (record_size, rest) = rest.split_first_chunk::<4>()?;
    let (id_length, rest) = rest.split_first()?;
    let (sender, sealed) = rest.split_at_checked(usize::from(*id_length))?;
    let one_record = sealed.len() <= usize::try_from(u32::from_be_bytes(*record_size)).ok()?;
    let sender_key = PublicKey::from_sec1_bytes(sender).ok().filter(|_| one_record && sender.len() == 65)?;
    let shared = p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), sender_key.as_affine());
    let own = secret.public_key().to_encoded_point(false);
    let info = [b"WebPush: info\0", own.as_bytes(), sender].concat();
    let expand = |salt: &[u8], from: &[u8], info: &[u8], into: &mut [u8]| {
        Hkdf::<Sha256>::new(Some(salt), from).expand(info, into).expect("a short key");
    };
    let (mut from, mut key, mut nonce) = ([0; 32], [0; 16], [0; 12]);
    expand(auth, shared.raw_secret_bytes(), &info, &mut from);
    expand(salt, &from, b"Content-Encoding: aes128gcm\0", &mut key);
    expand(salt, &from, b"Content-Encoding: nonce\0", &mut nonce);
    let cipher = Aes128Gcm::new(&Key::<Aes128Gcm>::from(key));
    let padded = cipher.decrypt(&Nonce::from(nonce), sealed).ok()?;
    // The last record's text ends with 2 and any zeros.
    let end = padded.iter().rposition(|byte| *byte != 0).filter(|end| padded[*end] == 2)?;
    String::from_utf8(padded[..end].to_vec()).ok()
}

impl Push {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The claims of who sent it (RFC 8292), where they are signed by the key that it names; and that key.
    pub fn vouched(&self) -> Option<(Value, String)> {
        let (token, key) = self.header("authorization").strip_prefix("vapid t=")?.split_once(", k=")?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        let verifier = VerifyingKey::from_sec1_bytes(&decode(key)?).ok()?;
        let signature = Signature::from_slice(&decode(signature)?).ok()?;
        verifier.verify(signed.as_bytes(), &signature).ok()?;
        let is_known = header == json!({ "typ": "JWT", "alg": "ES256" });
        is_known.then_some((serde_json::from_slice(&decode(claims)?).ok()?, key.to_owned()))
    }
}
