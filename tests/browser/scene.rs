//! What every story begins with: a server, a door before it, somebody who opens a room, and who joins them.

use buddy_tests::{Liar, Server, Setup};

use crate::door::Door;
use crate::driver::Driver;
use crate::profile::Profile;

/// A server of its own, and all that it takes to meet on it.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) door: Door,
    pub(crate) driver: Driver,
}

impl Scene {
    /// On a server with the defaults of `spin.toml`.
    pub(crate) async fn set() -> Self {
        Self::on(Server::setup()).await
    }

    /// On a server of another setup.
    pub(crate) async fn on(setup: Setup) -> Self {
        let server = setup.start().await;
        let door = Door::to(&server).await;
        let driver = Driver::start().await;
        Self { server, door, driver }
    }

    /// The address of the start page.
    pub(crate) fn start(&self) -> String {
        self.door.page("/")
    }

    /// The browser of a person who was never here before, with everything as Chromium has it.
    pub(crate) async fn newcomer(&self) -> Profile {
        self.driver.profile().await
    }

    /// A person who has made a room and says who they are with the first message; and the room's link.
    pub(crate) async fn host(&self, name: &str) -> (Profile, String) {
        let host = self.newcomer().await;
        let link = host.makes_room(&self.start()).await;
        host.calls_themself(name).await;
        (host, link)
    }

    /// A person who has joined by a link to take part and says who they are with the first message.
    pub(crate) async fn guest(&self, name: &str, link: &str) -> Profile {
        let guest = self.newcomer().await;
        guest.joins(link).await;
        guest.calls_themself(name).await;
        guest
    }

    /// A liar before the server, for whoever comes by its links.
    pub(crate) async fn liar(&self) -> Liar {
        Liar::before(self.server.address()).await
    }

    /// Kills the server and starts it again behind the same door.
    pub(crate) async fn restarts(&mut self) {
        self.server.restart().await;
        self.door.lead_to(&self.server);
    }
}
