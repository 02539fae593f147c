//! Two strangers talk, the server crashes, and nobody reads along.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::scene::Scene;

const ANA: &str = "Ana of the first profile";
const BEN: &str = "Ben of the second profile";

#[tokio::test]
async fn two_people_talk_through_a_link_and_survive_a_crash() {
    let mut scene = Scene::set().await;

    let (ana, link) = scene.host(ANA).await;
    ana.say("The kettle is on").await;
    ana.reads(&["The kettle is on"]).await;

    let ben = scene.guest(BEN, &link).await;
    ben.reads(&["The kettle is on"]).await;
    ben.say("I bring the biscuits").await;
    let before = ["The kettle is on", "I bring the biscuits"];
    ana.reads(&before).await;
    ben.reads(&before).await;

    let cleo = scene.newcomer().await;
    cleo.joins(&link).await;
    cleo.reads(&before).await;

    scene.restarts().await;
    ana.say("Was that a power cut").await;
    ben.say("The biscuits are unharmed").await;
    let all = [before[0], before[1], "Was that a power cut", "The biscuits are unharmed"];
    let everyone = [&ana, &ben, &cleo];
    for person in everyone {
        person.reads(&all).await;
    }
    // Put together anew, from what the browser kept and what the server has, it is still each once.
    for person in everyone {
        person.refresh().await;
        person.reads(&all).await;
    }

    let stored = stored_bytes(scene.server.key_value_file().parent().expect("the file lies in the state folder"));
    let bodies: Vec<String> = scene.server.database().column("SELECT body FROM event WHERE kind = 'message'", []);
    assert!(bodies.len() >= all.len());
    for body in bodies {
        assert!(holds(&stored, body.as_bytes()), "these are the files that hold the messages");
    }
    for text in all.into_iter().chain([ANA, BEN]) {
        assert!(!holds(&stored, text.as_bytes()), "the server's files contain {text:?}");
    }
    let (_, key) = link.split_once("#m.").expect("a link has a key");
    let bare_key = URL_SAFE_NO_PAD.decode(key).expect("a link's key is base64url");
    for key in [key.as_bytes(), &bare_key] {
        assert!(!holds(&stored, key), "the server's files contain the room's key");
    }
}

/// The bytes of all database files in a state folder, with their write-ahead logs.
fn stored_bytes(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).expect("the state folder can be listed");
    let paths = files.map(|file| file.expect("a file can be listed").path());
    let databases = paths.filter(|path| path.to_string_lossy().contains(".db"));
    databases.flat_map(|path| fs::read(path).expect("a database file can be read")).collect()
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
