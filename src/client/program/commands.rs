//! What each command does.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use buddy_client::api::Api;
use buddy_client::bytes::{LinkId, MemberId};
use buddy_client::link::{Link, Role};
use buddy_client::log::Alarm;
use buddy_client::room::{Error, NewRoom, OwnedLink, Revocation, Room, Update};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Ending;
use crate::keep::{Keeper, Kept};
use crate::show;

/// How long a run that sends something keeps trying while the server is away.
const SEND_TRIES: u32 = 3;

/// One run in one room.
pub(crate) struct Visit {
    room: Room,
    link: Link,
    kept: Kept,
    progress: Progress,
    alarms: Vec<Alarm>,
    /// Whether other runs may use the room meanwhile, and keep what they know of it.
    shared: bool,
}

/// What is going on, on standard error, where somebody watches.
struct Progress(ProgressBar);

impl Progress {
    fn new(text: &'static str) -> Self {
        // Draws only where standard error is a terminal.
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is constant"));
        bar.set_message(text);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    fn say(&self, text: &'static str) {
        self.0.set_message(text);
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}

/// Makes a room and prints its links.
pub(crate) async fn make(
    keeper: &Keeper,
    server: &str,
    room_name: &str,
    expires_in_s: Option<u64>,
    message_ttl_s: Option<u64>,
    name: &str,
) -> Result<Ending> {
    let server = server.trim_end_matches('/');
    let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', '@'])) {
        bail!("--server is scheme and host, such as https://chat.example");
    }
    let progress = Progress::new("Making a room");
    let new = NewRoom { name: room_name.to_owned(), expires_in_s, message_ttl_s };
    let made = Room::create(Api::new(server).map_err(Error::from)?, &new, name).await;
    progress.done();
    let (room, owner, member) = made?;
    // Printed first: a link that cannot be kept in a file is not lost.
    print_line(&owner.to_string())?;
    print_line(&member.to_string())?;
    keeper.open(&owner)?.write(&room.save(&owner))?;
    Ok(Ending::Done)
}

impl Visit {
    pub(crate) async fn begin(keeper: &Keeper, link: Link, name: &str) -> Result<Self> {
        let progress = Progress::new("Opening the room");
        let kept = keeper.open(&link)?;
        let saved = kept.read()?;
        let api = Api::new(&link.origin).map_err(Error::from)?;
        // Kept before the first request: a link is opened again as whoever opened it first.
        let room = Room::prepare(api, &link, name, saved)?;
        kept.write(&room.save(&link))?;
        let mut visit = Self { room, link, kept, progress, alarms: Vec::new(), shared: false };
        let opened = visit.room.refresh_keys().await;
        visit.keep()?;
        match opened {
            // With keys from an earlier run, what is to be sent can be kept until the server is back.
            Err(Error::Server(failure)) if failure.retry_after_s().is_some() && visit.room.epoch().is_some() => {}
            opened => opened?,
        }
        Ok(visit)
    }

    /// Says what there is to warn of, and keeps what must not be lost.
    pub(crate) fn end(mut self, outcome: Result<()>) -> Result<Ending> {
        self.progress.done();
        self.warn();
        if !self.shared {
            self.keep()?;
        }
        outcome?;
        Ok(if self.alarms.is_empty() { Ending::Done } else { Ending::Alarmed })
    }

    fn keep(&self) -> Result<()> {
        self.kept.write(&self.room.save(&self.link))
    }

    fn warn(&mut self) {
        for alarm in self.room.take_alarms() {
            if !self.alarms.contains(&alarm) {
                self.progress.0.suspend(|| eprintln!("buddy: {}", show::alarm_text(&alarm)));
                self.alarms.push(alarm);
            }
        }
    }

    pub(crate) async fn send(&mut self, text: Option<String>) -> Result<()> {
        let text = match text {
            Some(text) if text != "-" => text,
            _ => std::io::read_to_string(std::io::stdin()).context("the text cannot be read from standard input")?,
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            bail!("there is nothing to send");
        }
        self.room.say(text)?;
        self.keep()?;
        // What was seen is part of what is sent.
        self.progress.say("Reading what is new");
        self.room.sync().await?;
        self.progress.say("Sending");
        let mut tries = 0;
        let stored = loop {
            let (kept, link) = (&self.kept, &self.link);
            let mut failed = None;
            let sent = self.room.send(|room| failed = kept.write(&room.save(link)).err().or(failed.take())).await;
            if let Some(failure) = failed {
                return Err(failure);
            }
            match sent {
                Ok(stored) => break stored,
                Err(error) => {
                    let later = matches!(&error, Error::Server(failure) if failure.retry_after_s().is_some());
                    tries += 1;
                    if !later || tries >= SEND_TRIES {
                        return Err(error.into());
                    }
                }
            }
        };
        self.progress.say("Seeing that it arrived");
        self.room.sync().await?;
        if let Some(seq) = stored.last()
            && self.room.log().lines().get(*seq).is_none()
        {
            bail!("the server says that it stored the message, but does not show it");
        }
        Ok(())
    }

    pub(crate) async fn history(&mut self, json: bool, since: Option<u64>) -> Result<()> {
        self.progress.say("Reading");
        self.room.read_from(since).await?;
        self.progress.done();
        let first = since.map_or(0, |since| since + 1);
        let seqs: Vec<u64> =
            self.room.log().entries().map(|entry| entry.event.seq).filter(|seq| *seq >= first).collect();
        for seq in seqs {
            self.print(seq, json)?;
        }
        Ok(())
    }

    pub(crate) async fn follow(&mut self, json: bool, since: Option<u64>) -> Result<()> {
        self.progress.say("Reading");
        match since {
            Some(since) => {
                self.room.read_from(Some(since)).await?;
                let seqs: Vec<u64> =
                    self.room.log().entries().map(|entry| entry.event.seq).filter(|seq| *seq > since).collect();
                self.progress.done();
                for seq in seqs {
                    self.print(seq, json)?;
                }
            }
            None => self.room.sync().await?,
        }
        self.progress.done();
        self.warn();
        self.keep()?;
        // Others may use the room while this one listens.
        self.kept.let_go();
        self.shared = true;
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        let mut waits = 0;
        loop {
            let update = tokio::select! {
                update = self.room.next_update() => update?,
                _ = &mut interrupted => return Ok(()),
            };
            self.warn();
            match update {
                Update::Event(seq) => self.print(seq, json)?,
                Update::Connected => waits = 0,
                Update::Disconnected => {
                    let wait = self.room.retry() * 2u32.pow(waits.min(4)) / 2;
                    waits += 1;
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        _ = &mut interrupted => return Ok(()),
                    }
                }
                Update::Signal | Update::Reset => {}
            }
        }
    }

    fn print(&self, seq: u64, json: bool) -> Result<()> {
        let log = self.room.log();
        let Some(entry) = log.entry(seq).filter(|entry| !entry.repeat) else { return Ok(()) };
        if json {
            return print_line(&show::entry_json(log, entry).to_string());
        }
        show::entry_text(log, entry).map_or(Ok(()), |line| print_line(&line))
    }

    pub(crate) async fn members(&mut self, json: bool) -> Result<()> {
        self.progress.say("Reading");
        self.room.load_people().await?;
        self.progress.done();
        let mut people: Vec<_> = self.room.log().people().collect();
        people.sort_by(|one, other| (&one.name, one.author).cmp(&(&other.name, other.author)));
        for person in people {
            let line = match json {
                true => serde_json::to_string(person)?,
                false => format!("{} {}", person.author, show::harmless(&person.name)),
            };
            print_line(&line)?;
        }
        Ok(())
    }

    pub(crate) async fn links(&mut self, json: bool) -> Result<()> {
        self.progress.say("Reading");
        let links = self.room.links().await?;
        self.progress.done();
        for link in &links {
            let line = if json { serde_json::to_string(link)? } else { show::link_text(link) };
            print_line(&line)?;
        }
        Ok(())
    }

    pub(crate) async fn make_link(
        &mut self,
        name: &str,
        read_only: bool,
        openings: Option<u64>,
        expires_in_s: Option<u64>,
    ) -> Result<()> {
        let role = if read_only { Role::Reader } else { Role::Member };
        let link = self.room.make_link(name, role, openings, expires_in_s).await?;
        self.progress.done();
        print_line(&link.to_string())
    }

    pub(crate) async fn revoke(&mut self, what: &[String], keep: &[String], hide_past: bool) -> Result<()> {
        self.progress.say("Reading");
        self.room.sync().await?;
        let links = self.room.links().await?;
        let mut revocation = Revocation { hide_past, ..Revocation::default() };
        for text in what {
            let (of_links, of_people) = (self.links_called(&links, text), self.people_called(text));
            match (&of_links[..], &of_people[..]) {
                ([link], []) => revocation.links.push(*link),
                ([], [person]) => revocation.people.push(*person),
                ([], []) => bail!("there is no link and nobody with the id or name {text:?}"),
                _ => bail!("{text:?} names several links or people: give an id"),
            }
        }
        for text in keep {
            match self.links_called(&links, text)[..] {
                [link] => revocation.keep_links.push(link),
                _ => bail!("{text:?} names no link, or several"),
            }
        }
        self.progress.say("Renewing the room's keys");
        self.room.revoke(&revocation).await?;
        self.progress.done();
        match self.room.invitation() {
            // The link that members pass on from here on, which may be a new one.
            Some(link) => print_line(&link.to_string()),
            None => Ok(()),
        }
    }

    fn links_called(&self, links: &[OwnedLink], text: &str) -> Vec<LinkId> {
        let id = LinkId::parse(text).ok();
        let called = links.iter().filter(|link| Some(link.id) == id || (!link.name.is_empty() && link.name == text));
        called.map(|link| link.id).collect()
    }

    fn people_called(&self, text: &str) -> Vec<MemberId> {
        let id = MemberId::parse(text).ok();
        let me = self.room.identity().author();
        let called = self.room.log().people().filter(|person| Some(person.author) == id || person.name == text);
        called.map(|person| person.author).filter(|author| *author != me).collect()
    }
}

/// One line to standard output. A reader that has gone away, as `head` does, ends the run without a word.
fn print_line(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}
