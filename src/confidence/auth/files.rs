//! Files with the account's credentials, read again when they change.
//!
//! They are small, so they are simply read, at most once a second. A link is followed anew each time, because Kubernetes
//! swaps links in mounted Secrets. A file that cannot be read any more keeps its last value.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

/// How often the files are read at most.
pub(in crate::confidence) const READ_INTERVAL: Duration = Duration::from_secs(1);

/// Far above any token; a device that never ends must not fill the memory.
const MAX_BYTES: u64 = 64 * 1024;

/// The values of some files that belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// One for each file, in the order of the paths.
    pub(super) values: Vec<SecretString>,
    /// Moves when a value does.
    pub(super) version: u64,
}

/// Some files that belong together.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    read_at: Instant,
    contents: Contents,
    /// The failure that was last logged: it is logged once, not every second.
    failure: Option<String>,
}

impl Files {
    /// # Errors
    /// A sentence for a person, when a file cannot be used.
    pub(super) fn open(paths: Vec<PathBuf>) -> Result<Self, String> {
        let contents = Contents { values: read_all(&paths)?, version: 1 };
        let state = Mutex::new(State { read_at: Instant::now(), contents, failure: None });
        Ok(Self { paths, state })
    }

    /// What the files hold, as of a second ago or less.
    pub(super) fn contents(&self) -> Contents {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.read_at.elapsed() >= READ_INTERVAL {
            self.refresh(&mut state);
        }
        state.contents.clone()
    }

    /// What the files hold now: for when the old value was refused.
    pub(super) fn read_again(&self) -> Contents {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state);
        state.contents.clone()
    }

    fn refresh(&self, state: &mut State) {
        state.read_at = Instant::now();
        match read_all(&self.paths) {
            Ok(values) => {
                state.failure = None;
                if !same(&state.contents.values, &values) {
                    tracing::info!("the account's credentials have changed");
                    state.contents = Contents { values, version: state.contents.version + 1 };
                }
            }
            Err(error) => {
                if state.failure.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the account's credentials cannot be read; going on with the last ones");
                    state.failure = Some(error);
                }
            }
        }
    }
}

fn same(a: &[SecretString], b: &[SecretString]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.expose_secret() == b.expose_secret())
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<SecretString>, String> {
    paths.iter().map(|path| read(path)).collect()
}

/// Reads a secret, without the newline at its end that an editor or `echo` leaves.
fn read(path: &Path) -> Result<SecretString, String> {
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let length = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    let length = length.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if length as u64 > MAX_BYTES {
        return Err(format!("{} is larger than any token or secret ({MAX_BYTES} bytes)", path.display()));
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    if !secret.chars().all(|c| c.is_ascii_graphic()) {
        return Err(format!(
            "{} holds characters that no token, id or secret has (blanks, control characters, not ASCII)",
            path.display()
        ));
    }
    Ok(secret.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn values(contents: &Contents) -> Vec<&str> {
        contents.values.iter().map(ExposeSecret::expose_secret).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn swapped_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, value) in [("..1", "old\n"), ("..2", "new\r\n")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("token"), value).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/token", at("token")).unwrap();
        let files = Files::open(vec![at("token")]).unwrap();
        assert_eq!(values(&files.contents()), ["old"]);

        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert_eq!(values(&files.contents()), ["old"], "looked at most once a second");
        tokio::time::advance(READ_INTERVAL).await;
        let contents = files.contents();
        assert_eq!((values(&contents), contents.version), (vec!["new"], 2));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_file_is_read_again_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "old").unwrap();
        let files = Files::open(vec![file.path().to_owned()]).unwrap();
        fs::write(file.path(), "new").unwrap();
        assert_eq!(values(&files.read_again()), ["new"]);
    }

    #[tokio::test(start_paused = true)]
    async fn lost_or_emptied_file_keeps_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "value").unwrap();
        let files = Files::open(vec![path.clone()]).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!((values(&files.read_again()), files.contents().version), (vec!["value"], 1));
        fs::remove_file(&path).unwrap();
        assert_eq!((values(&files.read_again()), files.contents().version), (vec!["value"], 1));
    }

    #[tokio::test(start_paused = true)]
    async fn unusable_file_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for (text, word) in [("\n", "empty"), ("two words", "characters"), (&"x".repeat(70_000), "larger")] {
            fs::write(&path, text).unwrap();
            let error = Files::open(vec![path.clone()]).unwrap_err();
            assert!(error.contains(word) && error.contains("token") && !error.contains("two words"), "{error}");
        }
        assert!(Files::open(vec![folder.path().join("none")]).unwrap_err().contains("cannot be read"));
    }

    #[tokio::test(start_paused = true)]
    async fn debug_shows_no_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "s3cr3t").unwrap();
        let files = Files::open(vec![file.path().to_owned()]).unwrap();
        assert!(!format!("{files:?} {:?}", files.contents()).contains("s3cr3t"));
    }
}
