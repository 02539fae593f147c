//! The files of the page as `build.rs` compiled them in.

/// One file of `static/` in every form it can be sent.
pub(crate) struct Asset {
    /// Where it is found, such as `/app.js`.
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    /// The content security policy of a file that states its own.
    pub(crate) policy: Option<&'static str>,
    /// Names the content; 32 hex characters.
    pub(crate) hash: &'static str,
    pub(crate) plain: &'static [u8],
    /// Absent where compression saves nothing.
    pub(crate) brotli: Option<&'static [u8]>,
    pub(crate) gzip: Option<&'static [u8]>,
}

static ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page itself, for `/` and every room.
pub(crate) fn shell() -> &'static Asset {
    page(buddy_page::SHELL)
}

/// What a person sees who follows a link to nowhere.
pub(crate) fn not_found() -> &'static Asset {
    page(buddy_page::NOT_FOUND)
}

/// The file at `path`. What stands for missing files has no address of its own.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path && path != buddy_page::NOT_FOUND)
}

fn page(path: &str) -> &'static Asset {
    ASSETS.iter().find(|asset| asset.path == path).expect("the page is compiled in")
}
