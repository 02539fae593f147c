//! What is kept between two runs: a file for each room and role, which only its user can read, and a lock, so that two
//! runs at once do not send the same thing twice.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use buddy_client::bytes::{encode, sha256};
use buddy_client::link::Link;
use buddy_client::room::Saved;
use directories::ProjectDirs;

pub(crate) struct Keeper {
    folder: PathBuf,
}

/// A room's file, locked for as long as this lives.
pub(crate) struct Kept {
    file: PathBuf,
    lock: File,
}

impl Keeper {
    /// `folder` instead of the user's own.
    pub(crate) fn new(folder: Option<PathBuf>) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder,
            None => ProjectDirs::from("", "", "buddy")
                .context("this user has no home folder: give --data")?
                .data_dir()
                .to_owned(),
        };
        Ok(Self { folder })
    }

    /// Waits until no other run uses this room by this link.
    pub(crate) fn open(&self, link: &Link) -> Result<Kept> {
        let rooms = self.folder.join("rooms");
        make_private_folder(&rooms)?;
        // The link's own hash: an owner and a member on one machine are two people.
        let hash = encode(&sha256(link.to_string().as_bytes())[..9]);
        let name = format!("{}-{hash}", &link.room.to_string()[..16]);
        let lock = private(&rooms.join(format!("{name}.lock")))?;
        lock.lock().context("the room's file cannot be locked")?;
        Ok(Kept { file: rooms.join(format!("{name}.json")), lock })
    }
}

impl Kept {
    /// What the last run left; none where there was none.
    pub(crate) fn read(&self) -> Result<Option<Saved>> {
        let text = match fs::read(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", self.file.display())),
        };
        let saved = serde_json::from_slice(&text);
        saved.map(Some).with_context(|| format!("{} is damaged; remove it to begin anew", self.file.display()))
    }

    /// Replaces what was kept, in one step.
    pub(crate) fn write(&self, saved: &Saved) -> Result<()> {
        let beside = self.file.with_extension("new");
        let mut file = private(&beside)?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(saved)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.file).with_context(|| format!("{} cannot be written", self.file.display()))
    }

    /// Lets other runs in.
    pub(crate) fn let_go(&self) {
        // A lock that cannot be let go of ends with this run.
        let _ = self.lock.unlock();
    }
}

fn private(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).with_context(|| format!("{} cannot be made", path.display()))
}

fn make_private_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).with_context(|| format!("{} cannot be made", path.display()))
}
