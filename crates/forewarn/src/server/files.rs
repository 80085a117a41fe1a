//! How many files the process may have open: as many as the system lets it, and a part of them is kept from
//! connections, as the log and the lake need some at any time.

/// More than this is not asked for.
const MOST: u64 = 65_536;
/// So many are kept from connections at least, or a quarter of all.
const KEPT: usize = 256;

/// Raises the limit, and gives how many of `connections` it allows.
pub(super) fn for_connections(connections: usize) -> usize {
    let files = rlimit::increase_nofile_limit(MOST).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files cannot be read");
        1_024
    });
    let allowed = allowed(usize::try_from(files).unwrap_or(usize::MAX));
    if allowed < connections {
        tracing::info!(
            files,
            allowed,
            "the limit of open files allows fewer connections than connections.max; raise LimitNOFILE (ulimit -n)"
        );
    }
    connections.min(allowed)
}

/// How many connections go with so many `files`.
fn allowed(files: usize) -> usize {
    let kept = KEPT.max(files / 4);
    files.saturating_sub(kept).max(files / 4).max(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_log_and_the_lake() {
        assert_eq!([64, 256, 1_024, 4_096, 65_536].map(allowed), [16, 64, 768, 3_072, 49_152]);
    }
}
