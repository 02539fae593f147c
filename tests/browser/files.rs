//! Files: given, seen, opened and saved, in two people's browsers.

use std::fs;
use std::path::{Path, PathBuf};

use buddy_tests::Server;
use serde_json::{Value, json};

use crate::gallery::Gallery;
use crate::profile::Profile;
use crate::scene::Scene;

/// Lets files fall onto the room: a photograph as a camera makes it, which says where it was taken.
const DROP_PHOTO: &str = "
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [1200, 800];
    const context = canvas.getContext('2d');
    const sky = context.createLinearGradient(0, 0, 0, 800);
    [['#274b7a', 0], ['#f2b880', 0.55], ['#1d3b2f', 0.56], ['#0d1f19', 1]].forEach(([tint, at]) => sky.addColorStop(at, tint));
    context.fillStyle = sky;
    context.fillRect(0, 0, 1200, 800);
    context.fillStyle = '#fff3d6';
    context.beginPath();
    context.arc(820, 380, 60, 0, 7);
    context.fill();
    const plain = new Uint8Array(await (await new Promise((done) => canvas.toBlob(done, 'image/jpeg'))).arrayBuffer());
    const secret = new TextEncoder().encode('Exif\\0\\0 taken at SECRETPLACE');
    const length = secret.length + 2;
    const told = Uint8Array.of(0xff, 0xe1, length >> 8, length & 255, ...secret);
    const photo = new File([plain.subarray(0, 2), told, plain.subarray(2)], 'lake.jpeg', { type: 'image/jpeg' });
    const data = new DataTransfer();
    data.items.add(photo);
    const event = new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector('.timeline').dispatchEvent(event);
    return event.defaultPrevented;";

/// Chooses a file of that name, type and size, whose bytes are known.
const CHOOSE: &str = "
    const [name, type, length, text] = arguments;
    const bytes = text === null ? Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 255) : text;
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const picker = document.querySelector('[data-part=picker]');
    picker.files = data.files;
    picker.dispatchEvent(new Event('change'));";

impl Profile {
    /// Keeps what is saved in a folder of this test.
    pub(crate) async fn saves_to(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder can be made");
        let path = folder.to_str().expect("a path is text");
        self.cdp("Browser.setDownloadBehavior", json!({ "behavior": "allow", "downloadPath": path })).await;
    }

    pub(crate) async fn chooses_file(&self, name: &str, kind: &str, length: usize, text: Option<&str>) {
        self.execute(CHOOSE, vec![json!(name), json!(kind), json!(length), json!(text)]).await;
    }

    /// Chooses a file that lies on the disk, as a person does: the page has none of its bytes until it reads them.
    async fn chooses_file_on_disk(&self, file: &Path) {
        let document = self.cdp("DOM.getDocument", json!({})).await;
        let of = json!({ "nodeId": document["root"]["nodeId"], "selector": "[data-part=picker]" });
        let picker = self.cdp("DOM.querySelector", of).await;
        self.cdp("DOM.setFileInputFiles", json!({ "nodeId": picker["nodeId"], "files": [file] })).await;
    }

    /// What the page's objects and buffers take that it still needs, in bytes.
    async fn memory(&self) -> u64 {
        self.cdp("HeapProfiler.collectGarbage", json!({})).await;
        let usage = self.cdp("Runtime.getHeapUsage", json!({})).await;
        let of = |field: &str| usage[field].as_f64().unwrap_or_else(|| panic!("no {field} in {usage}"));
        (of("usedSize") + of("embedderHeapUsedSize") + of("backingStorageSize")) as u64
    }

    /// What was saved under this name, once all of it is there.
    pub(crate) async fn saved(&self, file: PathBuf, length: usize) -> Vec<u8> {
        self.eventually(&format!("{} is saved", file.display()), async || {
            fs::read(&file).ok().filter(|bytes| bytes.len() >= length)
        })
        .await
    }
}

fn folder(scene: &Scene) -> PathBuf {
    scene.server.database_file().with_file_name("saved")
}

/// The byte that a file which was chosen has there.
fn known_byte(at: usize) -> u8 {
    (at * 31 + (at >> 8)) as u8
}

/// What a slice of a picture's bytes says.
fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_picture_is_given_seen_opened_and_saved_without_what_its_camera_said() {
    let gallery = Gallery::default();
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Here we were:").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Show me").await;
    let saved = folder(&scene);
    ben.saves_to(&saved).await;

    assert_eq!(ana.execute_async(DROP_PHOTO, vec![]).await, json!(true), "the room stays");
    ana.sees("lake.jpeg").await;
    ana.sees("Send the original").await;
    gallery.show(&ana, "file-held").await;
    ana.press("Send the original").await;
    ana.sees("It may tell where and when it was taken").await;
    ana.press("Send the original").await;
    ana.say("At the lake").await;
    ana.has_sent_all().await;
    ben.reads(&["Here we were:", "Show me", "At the lake"]).await;
    // The small picture came with the message: nothing was asked for.
    let shown = "const image = document.querySelector('.picture img'); return image?.complete && image.naturalWidth";
    ben.eventually("the small picture is shown", async || {
        (ben.client().execute(shown, vec![]).await.ok()?.as_u64()? > 90).then_some(())
    })
    .await;
    ben.press("Picture: lake.jpg").await;
    let full = "return document.querySelector('.viewer .stage img')?.naturalWidth === 1200";
    ben.finds("the whole picture is shown", full).await;
    gallery.show(&ben, "viewer").await;
    ben.keys("+").await;
    ben.finds("it is larger", "return document.querySelector('.stage img').style.transform.includes('scale(1.4)')")
        .await;
    ben.keys("0").await;
    ben.finds("it is as before", "return document.querySelector('.stage img').style.transform.includes('scale(1)')")
        .await;
    ben.pinches().await;
    let spread =
        "return Number(/scale\\(([\\d.]+)/.exec(document.querySelector('.stage img').style.transform)?.[1]) > 2";
    ben.finds("two fingers make it larger", spread).await;
    ben.press("Save this picture").await;
    let bytes = ben.saved(saved.join("lake.jpg"), 1000).await;
    assert_eq!(bytes[..3], [0xff, 0xd8, 0xff], "a JPEG");
    assert!(!holds(&bytes, "SECRETPLACE") && !holds(&bytes, "Exif"), "nothing of the camera is left");
    ben.keys(&fantoccini::key::Key::Escape.to_string()).await;
    ben.finds("it is closed", "return document.querySelector('dialog') === null").await;
    ben.finds("the focus is back", "return document.activeElement.matches('.picture')").await;
    gallery.show(&ben, "files").await;

    // A message without words; and it takes its picture along when it goes.
    ana.execute_async(DROP_PHOTO, vec![]).await;
    ana.sees("lake.jpeg").await;
    ana.press("Send").await;
    ben.finds("two pictures", "return document.querySelectorAll('.picture').length === 2").await;
    let stored = || scene.server.database().value::<i64>("SELECT count(*) FROM file", []);
    assert_eq!(stored(), 2);
    ana.presses_message_with_picture().await;
    ana.press("More").await;
    ana.choose("Delete").await;
    ana.press_css("dialog .danger").await;
    ben.finds("one picture", "return document.querySelectorAll('.picture').length === 1").await;
    // Whatever request comes along sweeps.
    let elsewhere = scene.server.open_room().await;
    ben.eventually("it is deleted", async || {
        elsewhere.state().await;
        (stored() == 1).then_some(())
    })
    .await;
    gallery.close();
}

impl Profile {
    /// Puts two fingers onto the middle of the page and moves them apart.
    async fn pinches(&self) {
        let at = |name: &str| format!("return Math.round(inner{name} / 2)");
        let (x, y) = (self.execute(&at("Width"), vec![]).await, self.execute(&at("Height"), vec![]).await);
        let (x, y) = (x.as_i64().expect("a number"), y.as_i64().expect("a number"));
        let fingers = |apart: i64| json!([{ "x": x - apart, "y": y, "id": 0 }, { "x": x + apart, "y": y, "id": 1 }]);
        for (kind, points) in [
            ("touchStart", fingers(40)),
            ("touchMove", fingers(80)),
            ("touchMove", fingers(120)),
            ("touchEnd", json!([])),
        ] {
            self.cdp("Input.dispatchTouchEvent", json!({ "type": kind, "touchPoints": points })).await;
        }
    }

    /// Goes to the last message that has a picture, as Tab and the arrows do.
    async fn presses_message_with_picture(&self) {
        self.eventually("its tools are there", async || {
            let script = "const item = [...document.querySelectorAll('.message')].findLast((one) => one.querySelector('.picture'));
                item.querySelector('time').click();
                return item.querySelector('.tools') !== null";
            (self.client().execute(script, vec![]).await.ok()? == json!(true)).then_some(())
        })
        .await;
    }
}

/// Somebody gives the room its so-manieth picture, and somebody else looks at the first one.
pub(crate) async fn pictures_go_from(giver: &Profile, taker: &Profile, count: usize) {
    assert_eq!(giver.execute_async(DROP_PHOTO, vec![]).await, json!(true), "the room stays");
    giver.sees("lake.jpeg").await;
    giver.press("Send").await;
    let all = format!("return document.querySelectorAll('.picture').length === {count}");
    taker.finds("the picture came", &all).await;
    taker.press("Picture: lake.jpg").await;
    let full = "return document.querySelector('.viewer .stage img')?.naturalWidth === 1200";
    taker.finds("the whole picture is shown", full).await;
    taker.press("Close").await;
}

#[tokio::test]
async fn an_upload_goes_on_after_a_reload_and_only_known_kinds_are_shown() {
    // Five parts, of which the address may bring three at once.
    let setup = Server::setup().variable("file_parts_per_address_per_ten_s", 3);
    let scene = Scene::on(setup).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("There is more to come").await;
    let ben = scene.guest("Ben", &link).await;
    let saved = folder(&scene);
    ben.saves_to(&saved).await;
    ana.chooses_file("too-much.bin", "", 26_214_401, None).await;
    ana.sees("“too-much.bin” is larger than 26 MB").await;
    ana.chooses_file("plans of the house.bin", "application/x-plans", 1_200_000, None).await;
    ana.sees("1.2 MB").await;
    ana.say("The plans").await;
    let stored = || scene.server.database().value::<i64>("SELECT count(*) FROM part", []);
    ana.eventually("three parts are there", async || (stored() == 3).then_some(())).await;
    ana.sees_at(".file-upload progress").await;
    ana.save_screenshot("file-uploading.png").await;
    ana.refresh().await;
    ana.eventually("all parts are there", async || (stored() == 5).then_some(())).await;
    ben.reads(&["There is more to come", "The plans"]).await;
    ben.press("Save plans of the house.bin").await;
    let bytes = ben.saved(saved.join("plans of the house.bin"), 1_200_000).await;
    assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == known_byte(at)), "all of it");

    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    ana.chooses_file("drawing.svg", "image/svg+xml", 0, Some(svg)).await;
    ana.sees("drawing.svg").await;
    ana.press("Send").await;
    ben.press("Save drawing.svg").await;
    assert!(holds(&ben.saved(saved.join("drawing.svg"), svg.len()).await, "<script>"));
    let inline = "return document.querySelectorAll('.picture, iframe, object, embed').length";
    assert_eq!(ben.execute(inline, vec![]).await, json!(0));
    // Silence in the form of a sound file plays where it stands.
    let sound: Value = ana
        .execute(
            "const [length] = arguments; const data = new DataView(new ArrayBuffer(44 + length));
             const put = (at, text) => [...text].forEach((sign, index) => data.setUint8(at + index, sign.charCodeAt()));
             put(0, 'RIFF'); data.setUint32(4, 36 + length, true); put(8, 'WAVEfmt '); data.setUint32(16, 16, true);
             data.setUint16(20, 1, true); data.setUint16(22, 1, true); data.setUint32(24, 8000, true);
             data.setUint32(28, 8000, true); data.setUint16(32, 1, true); data.setUint16(34, 8, true);
             put(36, 'data'); data.setUint32(40, length, true);
             for (let at = 44; at < 44 + length; at += 1) data.setUint8(at, 128);
             const transfer = new DataTransfer();
             transfer.items.add(new File([data.buffer], 'quiet.wav', { type: 'audio/wav' }));
             const picker = document.querySelector('[data-part=picker]');
             picker.files = transfer.files; picker.dispatchEvent(new Event('change')); return true",
            vec![json!(16_000)],
        )
        .await;
    assert_eq!(sound, json!(true));
    ana.sees("quiet.wav").await;
    ana.press("Send").await;
    ben.press("Play quiet.wav").await;
    ben.finds("it plays", "return document.querySelector('audio')?.duration === 2").await;
    // A reaction draws the message anew, and what plays stays.
    let same = "globalThis.player ??= document.querySelector('audio'); return player.isConnected";
    assert_eq!(ben.execute(same, vec![]).await, json!(true));
    assert_eq!(ben.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_largest_file_goes_through_little_memory() {
    const LENGTH: usize = 26_214_400;
    /// Of the page as a whole: with the file in it, it would be more.
    const MOST: u64 = 16 << 20;
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("It is a large one").await;
    let ben = scene.guest("Ben", &link).await;
    ben.reads(&["It is a large one"]).await;
    let saved = folder(&scene);
    ben.saves_to(&saved).await;
    let original: Vec<u8> = (0..LENGTH).map(known_byte).collect();
    let file = scene.server.database_file().with_file_name("film.bin");
    fs::write(&file, &original).expect("a file can be written");

    let mut most = ana.memory().await;
    println!("the page before: {} MiB", most >> 20);
    ana.chooses_file_on_disk(&file).await;
    ana.sees("26 MB").await;
    ana.press("Send").await;
    let is_sent = async || {
        most = most.max(ana.memory().await);
        let uploads = ana.execute("return document.querySelectorAll('.file-upload').length", vec![]).await;
        let named = "SELECT count(*) FROM file WHERE seq IS NOT NULL";
        let is_there = scene.server.database().value::<i64>(named, []) == 1;
        (is_there && uploads == json!(0)).then_some(())
    };
    ana.eventually("all of it is sent", is_sent).await;
    println!("the page while it sent 25 MiB: {} MiB at most", most >> 20);
    assert!(most < MOST, "{most} bytes to send");

    let mut most = 0;
    ben.press("Save film.bin").await;
    let target = saved.join("film.bin");
    let is_saved = async || {
        most = most.max(ben.memory().await);
        fs::metadata(&target).is_ok_and(|saved| saved.len() == LENGTH as u64).then_some(())
    };
    ben.eventually("all of it is saved", is_saved).await;
    println!("the page while it saved 25 MiB: {} MiB at most", most >> 20);
    assert!(fs::read(&target).expect("it is there") == original, "all of it, and nothing else");
    assert!(most < MOST, "{most} bytes to save");
}
