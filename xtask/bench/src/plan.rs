//! What is measured: one figure after the other, each of a server of its own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::crowd::Arrival;
use crate::delivery::Case;
use crate::report::Report;
use crate::server::{self, Server};
use crate::{Arguments, Part, commits, delivery, publish, replay, sockets};

/// A measurement that is under way.
pub(crate) struct Bench<'a> {
    arguments: &'a Arguments,
    /// How long each figure is measured.
    duration: Duration,
    /// Where the servers' databases are, on the checkout's disk, which is a real one where `/tmp` may
    /// not be.
    data: TempDir,
    report: Report,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(arguments: &'a Arguments) -> Result<Self> {
        let folder = root().join("target/bench");
        fs::create_dir_all(&folder)?;
        let data = tempfile::tempdir_in(folder)?;
        server::clean_up_on_signals(data.path().to_owned())?;
        let spin = arguments.server.as_deref().is_some_and(|command| command.contains("spin"));
        let report = Report { spin, ..Report::default() };
        Ok(Self { arguments, duration: Duration::from_secs(arguments.seconds), data, report })
    }

    /// Measures what the arguments ask for.
    pub(crate) fn measure(mut self) -> Result<Report> {
        let arguments = self.arguments;
        let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
        if wanted(Part::Publish) {
            for writers in [1, 8, 32] {
                self.publish(writers, 1, 1)?;
            }
        }
        if wanted(Part::Databases) {
            // So many rooms that each database has some. In turns, for other programs slow a disk down.
            for writers in [8, 32] {
                for databases in [1, 3] {
                    self.publish(writers, 60, databases)?;
                }
            }
        }
        if wanted(Part::Delivery) {
            for readers in &arguments.readers {
                // So many readers are asked for at a lower rate, too.
                let mut rates = if *readers >= 5000 { vec![10] } else { Vec::new() };
                rates.extend(arguments.rates.iter().filter(|rate| **rate != 10 || *readers < 5000));
                self.report.writes.push(sockets::measure(*readers)?);
                for arrival in &arguments.arrivals {
                    // A few readers are no herd.
                    if *arrival == Arrival::Gentle || *readers >= 100 {
                        self.deliver(Case { readers: *readers, rooms: 1, arrival: *arrival }, &rates)?;
                    }
                }
            }
        }
        if wanted(Part::Rooms) {
            self.rooms()?;
        }
        if wanted(Part::Replay) {
            self.replay()?;
        }
        Ok(self.report)
    }

    fn rooms(&mut self) -> Result<()> {
        let readers = if self.arguments.quick { 100 } else { 1000 };
        for rooms in [1, 10, 100] {
            // What was measured already need not be measured again.
            if !self.report.publish.iter().any(|p| p.writers == 8 && p.rooms == rooms) {
                self.publish(8, rooms, 1)?;
            }
            if !self.report.delivery.iter().any(|d| d.readers == readers && d.rooms == rooms && d.rate == 50) {
                self.deliver(Case { readers, rooms, arrival: Arrival::Gentle }, &[50])?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, writers: usize, rooms: usize, databases: usize) -> Result<()> {
        eprintln!("publishing: writers {writers}, rooms {rooms}, databases {databases}");
        let server = self.server_with(databases)?;
        // Other programs slow a disk down, so the limit is measured anew each time. Which disk is
        // behind a server elsewhere is not known.
        let bare = match self.arguments.address {
            Some(_) => None,
            None => Some(commits::per_second(self.data.path(), self.duration / 4)?),
        };
        let published = publish::measure(&server.address, writers, rooms, self.duration / 2, bare)?;
        let published = publish::Publish { databases, ..published };
        self.report.publish.push(published);
        Ok(())
    }

    /// Delivery by Buddy and, where it is asked for, right after that by what Buddy is measured beside.
    fn deliver(&mut self, case: Case, rates: &[u32]) -> Result<()> {
        let Case { readers, rooms, arrival } = case;
        eprintln!("delivery: readers {readers} ({arrival}), rooms {rooms}, messages a second {rates:?}");
        if arrival != Arrival::Resumed || self.arguments.address.is_none() {
            self.deliver_by(self.server()?, case, rates)?;
        }
        // What nchan had in memory is lost with its process, so nobody could resume.
        if self.arguments.beside.is_some() && arrival != Arrival::Resumed {
            eprintln!("the same by nchan");
            self.deliver_by(Server::start_nchan(self.data.path())?, case, rates)?;
        }
        Ok(())
    }

    fn deliver_by(&mut self, mut server: Server, case: Case, rates: &[u32]) -> Result<()> {
        let (joined, deliveries) = delivery::measure(&mut server, case, rates, self.duration)
            .with_context(|| format!("delivery to {} readers in {} rooms", case.readers, case.rooms))?;
        self.report.joined.push(joined);
        self.report.delivery.extend(deliveries);
        Ok(())
    }

    fn replay(&mut self) -> Result<()> {
        let events = self.arguments.replay_events;
        eprintln!("filling a room with {events} events");
        let server = self.server()?;
        let room = replay::fill(&server.address, events)?;
        for readers in [1, 10] {
            eprintln!("replay: readers {readers}");
            self.report.replay.push(replay::measure(&server, &room, events, readers)?);
        }
        Ok(())
    }

    /// A new server for each figure, so that none inherits another's memory, rooms and instances.
    fn server(&self) -> Result<Server> {
        self.server_with(1)
    }

    fn server_with(&self, databases: usize) -> Result<Server> {
        if let Some(url) = &self.arguments.address {
            return Server::at(url);
        }
        let command = self.arguments.server.as_ref().context("no server to start: say it with --server")?;
        Server::start(command, &root().join("spin.toml"), &self.arguments.variable, self.data.path(), databases)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the benchmark lies two folders deep")
}
