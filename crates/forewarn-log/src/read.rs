//! Reading back what is durable: from the cache, else from the segment that holds it.

use std::sync::Arc;

use forewarn_types::{Offset, Record, decode_record};

use crate::LogError;
use crate::disk::Disk;
use crate::frame::{Found, Frames};
use crate::segment::{Mark, Segment, check_header};
use crate::shared::Shared;

/// Bounds and result of one call of [`crate::Log::read`].
struct Request {
    next: Offset,
    end: Offset,
    max_records: usize,
    max_bytes: usize,
    bytes: usize,
    found: Vec<(Offset, Arc<Record>)>,
}

impl Request {
    fn is_done(&self) -> bool {
        self.next >= self.end
            || self.found.len() >= self.max_records
            || self.bytes >= self.max_bytes && !self.found.is_empty()
    }
}

impl Shared {
    /// See [`crate::Log::read`]; `end` is one past the newest durable record.
    pub(crate) fn read(
        &self,
        from: Offset,
        end: Offset,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(Offset, Arc<Record>)>, LogError> {
        if from >= end {
            return Ok(Vec::new());
        }
        if let Some(found) = self.cache.read().read(from, end, max_records, max_bytes)
            && from >= self.start()
        {
            return Ok(found);
        }
        let mut request = Request {
            next: from,
            end,
            max_records: max_records.max(1),
            max_bytes,
            bytes: 0,
            found: Vec::new(),
        };
        while !request.is_done() {
            self.read_segment(&mut request)?;
        }
        Ok(request.found)
    }

    /// Reads from the one segment that holds the next record.
    fn read_segment(&self, request: &mut Request) -> Result<(), LogError> {
        let (path, base, near, limit) = {
            let segments = self.segments.lock();
            let after = segments.partition_point(|segment| segment.base <= request.next);
            let Some(segment) = after.checked_sub(1).and_then(|at| segments.get(at)) else {
                return Err(LogError::Trimmed {
                    from: request.next,
                    start: segments.first().map_or(request.end, |first| first.base),
                });
            };
            let limit = segments.get(after).map_or(request.end, |following| following.base.min(request.end));
            (segment.path.clone(), segment.base, segment.nearest(request.next), limit)
        };
        let mut marks = Vec::new();
        let outcome = scan(self.disk.as_ref(), &path, base, near, limit, request, &mut marks);
        let mut segments = self.segments.lock();
        match segments.binary_search_by_key(&base, |segment| segment.base) {
            Ok(at) => marks.into_iter().for_each(|mark| segments[at].mark(mark)),
            // The segment was trimmed while it was read, or between the look-up and the opening of its file.
            Err(_) if outcome.is_err() => {
                return Err(LogError::Trimmed {
                    from: request.next,
                    start: segments.first().map_or(request.end, |first| first.base),
                });
            }
            Err(_) => {}
        }
        outcome
    }

    /// The oldest offset that can still be read.
    pub(crate) fn start(&self) -> Offset {
        self.segments.lock().first().map_or(Offset(0), |segment: &Segment| segment.base)
    }
}

/// Reads the frames of one file from `near` on, up to the record before `limit`, and notes where they begin.
fn scan(
    disk: &dyn Disk,
    path: &std::path::Path,
    base: Offset,
    near: Mark,
    limit: Offset,
    request: &mut Request,
    marks: &mut Vec<Mark>,
) -> Result<(), LogError> {
    if near.offset == base && check_header(disk, path, base)?.is_none() {
        return Err(LogError::corrupt(path, 0, "the file's header is not that of a segment"));
    }
    let mut frames = Frames::open(disk, path, near.position)?;
    let mut offset = near.offset;
    while offset < limit && !request.is_done() {
        let position = frames.position;
        let wanted = offset == request.next;
        marks.push(Mark { offset, position });
        match frames.next(!wanted)? {
            Found::Frame => {}
            Found::End => {
                return Err(LogError::corrupt(
                    path,
                    position,
                    format!("the file ends before offset {offset}"),
                ));
            }
            Found::Bad(problem) => {
                return Err(LogError::corrupt(path, position, format!("{problem} (offset {offset})")));
            }
        }
        if wanted {
            let record = decode_record(offset, &frames.payload)
                .map_err(|error| LogError::corrupt(path, position, error.to_string()))?;
            request.bytes += frames.payload.len();
            request.found.push((offset, Arc::new(record)));
            request.next = offset.next();
        }
        offset = offset.next();
    }
    Ok(())
}
