//! The files of the log.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The size at which a file is closed and the next one begins, in bytes.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// The log: the current file and the one before it, in a folder. Any number of
/// processes append to it.
#[derive(Debug, Clone)]
pub struct Log {
    folder: PathBuf,
    max_size: u64,
}

impl Log {
    /// The log in `folder`, which may not exist yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            max_size: MAX_SIZE,
        }
    }

    /// Begins an empty file; the last one is kept until the next begins.
    ///
    /// # Errors
    ///
    /// The folder cannot be created or written to.
    pub fn begin(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        self.rotate(0)?;
        self.append("")
    }

    /// Appends whole lines.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn append(&self, lines: &str) -> io::Result<()> {
        let mut file = self.open()?;
        if file.metadata()?.len() >= self.max_size {
            self.rotate(self.max_size)?;
            file = self.open()?;
        }
        // One write, so that lines of other processes are not within.
        file.write_all(lines.as_bytes())
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).open(self.current())
    }

    /// Puts the current file in the place of the previous one, if it still has this
    /// size.
    fn rotate(&self, size: u64) -> io::Result<()> {
        let lock = File::create(self.folder.join("lock"))?;
        lock.lock()?;
        let current = self.current();
        match fs::metadata(&current) {
            Ok(metadata) if metadata.len() >= size => fs::rename(current, self.previous()),
            // Another process was faster, or there is none.
            _ => Ok(()),
        }
    }

    fn current(&self) -> PathBuf {
        self.folder.join("current.jsonl")
    }

    fn previous(&self) -> PathBuf {
        self.folder.join("previous.jsonl")
    }

    /// Reads what is there, and later what is appended; `None` if there is no log.
    ///
    /// # Errors
    ///
    /// The files cannot be read.
    pub fn read(&self) -> io::Result<Option<Reader<'_>>> {
        let Some(current) = existing(&self.current())? else {
            return Ok(None);
        };
        let previous = match existing(&self.previous())? {
            // A rotation in between put the same file there.
            Some(previous) if identity(&previous)? == identity(&current)? => None,
            previous => previous,
        };
        Ok(Some(Reader {
            log: self,
            previous,
            file: current,
            partial: Vec::new(),
        }))
    }
}

/// Reads the lines of a log in the order in which they were written.
pub struct Reader<'l> {
    log: &'l Log,
    /// The previous file, which is read first.
    previous: Option<BufReader<File>>,
    file: BufReader<File>,
    /// The beginning of a line that is being written.
    partial: Vec<u8>,
}

impl Reader<'_> {
    /// The complete lines since the last call; at first all that there are.
    ///
    /// # Errors
    ///
    /// The files cannot be read.
    pub fn lines(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        if let Some(mut previous) = self.previous.take() {
            read_lines(&mut previous, &mut Vec::new(), &mut lines)?;
        }
        loop {
            // Before the rest of this file is read: it is complete if there is another.
            let next = existing(&self.log.current())?;
            read_lines(&mut self.file, &mut self.partial, &mut lines)?;
            match next {
                Some(next) if identity(&next)? != identity(&self.file)? => {
                    self.file = next;
                    self.partial.clear();
                }
                _ => return Ok(lines),
            }
        }
    }
}

/// Reads to the end of a file. What comes after its last line break is kept in
/// `partial`.
fn read_lines(
    file: &mut BufReader<File>,
    partial: &mut Vec<u8>,
    lines: &mut Vec<String>,
) -> io::Result<()> {
    while file.read_until(b'\n', partial)? > 0 {
        if partial.pop_if(|last| *last == b'\n').is_some() {
            lines.push(String::from_utf8_lossy(partial).into_owned());
            partial.clear();
        }
    }
    Ok(())
}

/// Opens a file; `None` if there is none.
fn existing(file: &Path) -> io::Result<Option<BufReader<File>>> {
    match File::open(file) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What no other file on this machine has.
fn identity(file: &BufReader<File>) -> io::Result<(u64, u64)> {
    let metadata = file.get_ref().metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_follows_the_log_through_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log {
            max_size: 8,
            ..Log::at(&folder.path().join("logs"))
        };
        assert!(log.read().unwrap().is_none());
        log.begin().unwrap();
        log.append("one\n").unwrap();
        log.append("two\nthr").unwrap();
        let mut reader = log.read().unwrap().unwrap();
        assert_eq!(reader.lines().unwrap(), ["one", "two"]);
        assert!(reader.lines().unwrap().is_empty());
        // The file is full: this begins the next.
        log.append("four\n").unwrap();
        assert_eq!(reader.lines().unwrap(), ["four"]);
        log.append("five\n").unwrap();
        assert_eq!(reader.lines().unwrap(), ["five"]);
        let mut later = log.read().unwrap().unwrap();
        assert_eq!(later.lines().unwrap(), ["one", "two", "four", "five"]);
    }

    #[test]
    fn file_that_is_rotated_while_it_is_opened_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::at(folder.path());
        log.begin().unwrap();
        log.append("one\n").unwrap();
        // Both names are of one file, as the reader finds it then.
        fs::hard_link(log.current(), log.previous()).unwrap();
        let mut reader = log.read().unwrap().unwrap();
        assert_eq!(reader.lines().unwrap(), ["one"]);
    }

    #[test]
    fn log_of_the_last_run_is_kept_until_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::at(folder.path());
        for run in ["one\n", "two\n", "three\n"] {
            log.begin().unwrap();
            log.append(run).unwrap();
        }
        let mut reader = log.read().unwrap().unwrap();
        assert_eq!(reader.lines().unwrap(), ["two", "three"]);
    }
}
