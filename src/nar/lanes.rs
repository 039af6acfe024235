//! The SHA-256 of many NARs, a few of them at once: where one ends, the next begins in
//! its place.

use super::sha256::{self, State};
use super::stream::{self, Judged, Look, NarError, NarWriter};

/// One of the NARs that are hashed at once.
struct Lane<J, L> {
    writer: NarWriter<L>,
    state: State,
    /// What it is the NAR of, while there is one.
    job: Option<J>,
    /// Its size, once all of it was written.
    size: Option<u64>,
}

/// Hashes NARs; keeps the buffers of those that are hashed at once.
pub(crate) struct Lanes<J, L> {
    lanes: Vec<Lane<J, L>>,
}

/// NARs to be hashed.
pub(crate) trait Jobs {
    /// What knows one of them again.
    type Job;

    /// Who looks at what `stat` says of their entries.
    type Look: Look;

    /// Begins the next with that writer.
    fn next(
        &mut self,
        writer: &mut NarWriter<Self::Look>,
    ) -> Option<(Self::Job, Result<(), NarError>)>;

    /// Shown what came of each, in the order in which they end.
    fn done(&mut self, job: Self::Job, hashed: Hashed<Self::Look>);
}

/// What came of a job.
pub(crate) struct Hashed<L> {
    /// The size of the NAR in bytes, and its SHA-256.
    pub(crate) hash: Result<(u64, [u8; 32]), NarError>,
    /// What was found of extended attributes.
    pub(crate) judged: Judged,
    /// Who looked at it.
    pub(crate) looker: L,
}

/// How many files a thread that hashes may have open.
pub(crate) fn open_files() -> usize {
    // One more is read by itself at times.
    (sha256::width() + 1) * stream::OPEN_FILES
}

impl<J, L: Look> Lanes<J, L> {
    /// As many as are best hashed at once, or one where each is to be read to its end before
    /// another; each with a writer that is made so.
    pub(crate) fn new(one_by_one: bool, writer: impl Fn() -> NarWriter<L>) -> Self {
        Self::of_width(if one_by_one { 1 } else { sha256::width() }, writer)
    }

    fn of_width(width: usize, writer: impl Fn() -> NarWriter<L>) -> Self {
        let lane = |_| Lane { writer: writer(), state: sha256::BEGIN, job: None, size: None };
        Self { lanes: (0..width).map(lane).collect() }
    }

    /// Hashes all there are.
    pub(crate) fn run(&mut self, jobs: &mut impl Jobs<Job = J, Look = L>) {
        let mut more = true;
        loop {
            for lane in &mut self.lanes {
                while !lane.is_ready() {
                    if lane.job.is_some() {
                        if let Err(error) = lane.fill() {
                            lane.end(Err(error), jobs);
                        }
                    } else if more && let Some((job, begun)) = jobs.next(&mut lane.writer) {
                        (lane.state, lane.job, lane.size) = (sha256::BEGIN, Some(job), None);
                        if let Err(error) = begun {
                            lane.end(Err(error), jobs);
                        }
                    } else {
                        more = false;
                        break;
                    }
                }
            }
            let mut messages: Vec<(&mut State, &[sha256::Block])> = self
                .lanes
                .iter_mut()
                .filter(|lane| lane.job.is_some())
                .map(|lane| (&mut lane.state, lane.writer.piece().as_chunks().0))
                .collect();
            if messages.is_empty() {
                return;
            }
            let taken = sha256::take_in(&mut messages) * size_of::<sha256::Block>();
            for lane in self.lanes.iter_mut().filter(|lane| lane.job.is_some()) {
                lane.writer.take(taken);
                if let Some(size) = lane.size
                    && lane.writer.piece().is_empty()
                {
                    lane.end(Ok((size, sha256::finish(&lane.state))), jobs);
                }
            }
        }
    }
}

impl<J, L: Look> Lane<J, L> {
    /// Whether a block at least can be hashed.
    fn is_ready(&self) -> bool {
        self.job.is_some() && self.writer.piece().len() >= size_of::<sha256::Block>()
    }

    /// Goes on with the NAR, and puts behind it what ends its hash.
    fn fill(&mut self) -> Result<(), NarError> {
        self.writer.fill()?;
        if let (None, Some(size)) = (self.size, self.writer.whole()) {
            let (ending, length) = sha256::ending(size);
            self.writer.add(&ending[..length]);
            self.size = Some(size);
        }
        Ok(())
    }

    fn end(
        &mut self,
        hash: Result<(u64, [u8; 32]), NarError>,
        jobs: &mut impl Jobs<Job = J, Look = L>,
    ) {
        if let Some(job) = self.job.take() {
            let (judged, looker) = (self.writer.take_judged(), self.writer.take_looker());
            jobs.done(job, Hashed { hash, judged, looker });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Directory, FileType, Tree};
    use crate::nar::hash::Algorithm;
    use std::ffi::CString;
    use std::fs;

    /// The size and hash of a NAR, if there was one.
    type Found = Option<(u64, Vec<u8>)>;

    struct Files<'a> {
        parent: &'a Directory,
        names: &'a [CString],
        at: usize,
        found: Vec<Option<Found>>,
    }

    impl Jobs for Files<'_> {
        type Job = usize;
        type Look = ();

        fn next(&mut self, writer: &mut NarWriter) -> Option<(usize, Result<(), NarError>)> {
            let name = self.names.get(self.at)?;
            self.at += 1;
            Some((self.at - 1, writer.begin(self.parent, name, FileType::Unknown)))
        }

        fn done(&mut self, index: usize, hashed: Hashed<()>) {
            let hash = hashed.hash.ok().map(|(size, hash)| (size, hash.to_vec()));
            assert!(self.found[index].replace(hash).is_none());
        }
    }

    #[test]
    fn each_has_its_own_hash_however_many_there_are_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut names = Vec::new();
        // Around blocks and buffers, some with many entries, and one that is missing.
        for (i, size) in [0, 1, 55, 56, 64, 200, 1 << 17, (1 << 17) + 1, 400_000].iter().enumerate()
        {
            for more in 0..3 {
                let name = format!("{i}-{more}");
                let bytes: Vec<u8> = (0..size + more * 13).map(|b| (b * 31 % 251) as u8).collect();
                if more == 2 {
                    fs::create_dir(dir.path().join(&name)).unwrap();
                    for file in 0..i * 7 {
                        fs::write(dir.path().join(&name).join(file.to_string()), &bytes).unwrap();
                    }
                } else {
                    fs::write(dir.path().join(&name), &bytes).unwrap();
                }
                names.push(CString::new(name).unwrap());
            }
        }
        names.insert(5, c"missing".to_owned());
        let parent = Tree::live(dir.path()).unwrap().open_directory("/".as_ref()).unwrap();
        let mut writer = NarWriter::default();
        let expected: Vec<Found> = names
            .iter()
            .map(|name| {
                let (size, hash) = writer.hash(Algorithm::Sha256, &parent, name).ok()?;
                Some((size, hash.bytes().to_vec()))
            })
            .collect();
        assert_eq!(expected.iter().filter(|hash| hash.is_none()).count(), 1);
        for width in 1..6 {
            let mut lanes = Lanes::of_width(width, NarWriter::default);
            let found = vec![None; names.len()];
            let mut files = Files { parent: &parent, names: &names[..9], at: 0, found };
            lanes.run(&mut files);
            // What a run leaves behind is nothing to the next.
            files.names = &names;
            lanes.run(&mut files);
            let found: Vec<_> = files.found.into_iter().map(Option::unwrap).collect();
            assert_eq!(found, expected, "{width}");
        }
    }
}
