//! Archives that are the same whenever they are made from the same files: no times, no users.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

use super::files;

/// A file of an archive.
pub(super) struct Entry<'a> {
    /// Where the file is.
    pub(super) source: &'a Path,
    /// Its path in the archive.
    pub(super) name: String,
    /// Its permissions.
    pub(super) mode: u32,
}

/// Writes a compressed archive.
pub(super) fn write(archive: &Path, entries: &[Entry<'_>]) -> Result<(), String> {
    let named = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::create(archive).map_err(|error| named(archive, error))?;
    let mut tar = Builder::new(GzBuilder::new().mtime(0).write(file, Compression::best()));
    for entry in entries {
        let content = fs::read(entry.source).map_err(|error| named(entry.source, error))?;
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(entry.mode);
        header.set_mtime(0);
        tar.append_data(&mut header, &entry.name, content.as_slice()).map_err(|error| named(archive, error))?;
    }
    let finished = tar.into_inner().and_then(flate2::write::GzEncoder::finish).and_then(|mut file| file.flush());
    finished.map_err(|error| named(archive, error))
}

/// Writes an archive of a folder, beside it.
pub(super) fn write_folder(folder: &Path) -> Result<(), String> {
    let mut sources = Vec::new();
    collect(folder, &mut sources)?;
    let root = folder.parent().unwrap_or(folder);
    let name = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let entries: Vec<_> = sources.iter().map(|it| Entry { source: it, name: name(it), mode: 0o644 }).collect();
    write(&root.join(format!("{}.tar.gz", files::name(folder))), &entries)
}

fn collect(folder: &Path, found: &mut Vec<std::path::PathBuf>) -> Result<(), String> {
    for path in files::entries(folder)? {
        if path.is_dir() {
            collect(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
