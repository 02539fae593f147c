//! The program as a child process, with a data folder of its own.

use std::path::Path;
use std::process::{Output, Stdio};

use buddy_tests::{DEADLINE, Server};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Somebody at a shell.
pub(crate) struct Shell {
    data: TempDir,
    name: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) printed: String,
    pub(crate) said: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn must_be(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.printed.lines().collect()
    }
}

/// A run of `buddy follow`; killed when dropped.
pub(crate) struct Following {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    /// The next line that was printed.
    pub(crate) async fn next(&mut self) -> String {
        let line = timeout(DEADLINE, self.lines.next_line()).await.expect("a line is printed in time");
        line.expect("its output can be read").expect("the program still runs")
    }

    /// Reads on to a line that holds this.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            let line = self.next().await;
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Shell {
    pub(crate) fn of(name: &str) -> Self {
        let data = tempfile::Builder::new().prefix("buddy-shell-").tempdir().expect("a temporary folder can be made");
        Self { data, name: name.to_owned() }
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// The program, with nothing of this process's own settings.
    pub(crate) fn command(&self, link: Option<&str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_buddy"));
        command.env_remove("BUDDY_LINK").env("BUDDY_DATA", self.data()).env("BUDDY_NAME", &self.name);
        if let Some(link) = link {
            command.env("BUDDY_LINK", link);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, link: &str, arguments: &[&str]) -> Ended {
        finish(self.command(Some(link)).args(arguments)).await
    }

    /// Runs it with this on its standard input.
    pub(crate) async fn run_with(&self, link: &str, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(Some(link)).args(arguments).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut pipe = child.stdin.take().expect("its input is a pipe");
        pipe.write_all(input.as_bytes()).await.expect("it reads");
        drop(pipe);
        ended(timeout(DEADLINE, child.wait_with_output()).await.expect("it ends in time").expect("it ends"))
    }

    /// Makes a room; gives the owner's link and the link for everybody else.
    pub(crate) async fn new_room(&self, server: &Server) -> (String, String) {
        let address = format!("http://{}", server.address());
        let made = finish(self.command(None).args(["new", "--server", &address])).await.must_be(0);
        let [owner, member] = made.lines()[..] else { panic!("two lines: {made:?}") };
        (owner.to_owned(), member.to_owned())
    }

    pub(crate) fn follow(&self, link: &str, arguments: &[&str]) -> Following {
        let mut child = self.command(Some(link)).arg("follow").args(arguments).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output is a pipe")).lines();
        Following { _child: child, lines }
    }
}

pub(crate) async fn finish(command: &mut Command) -> Ended {
    ended(timeout(DEADLINE, command.output()).await.expect("it ends in time").expect("it starts"))
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
    Ended { code: output.status.code(), printed: text(output.stdout), said: text(output.stderr) }
}
