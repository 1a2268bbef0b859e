//! The redo log.
use damask_types::{Error, Lsn, Result, Timestamp};

/// The redo log of one database: frames in commit order, durable after [`Log::flush`].
pub struct Log {}

impl Log {
    /// Appends a frame. Cheap: it is copied into memory. The caller holds its commit section, so that frames arrive in
    /// the order of their timestamps. The result is what to pass to [`Log::flush`].
    pub fn append(&self, ts: Timestamp, frame: &[u8]) -> Result<Lsn> {
        Err(Error::unsupported(format!("logging {} bytes at {ts}", frame.len())))
    }

    /// Returns when everything up to `up_to` is durable. One caller writes for all who wait.
    pub fn flush(&self, up_to: Lsn) -> Result<()> {
        Err(Error::unsupported(format!("flushing up to {up_to}")))
    }

    /// Where the next frame would begin.
    pub fn appended_lsn(&self) -> Lsn {
        Lsn(0)
    }

    /// Everything before this is durable.
    pub fn durable_lsn(&self) -> Lsn {
        Lsn(0)
    }

    /// The timestamp of the last frame that is durable.
    pub fn durable_ts(&self) -> Timestamp {
        Timestamp(0)
    }

    /// Bytes of log written since the last checkpoint: what recovery would read.
    pub fn bytes_since_checkpoint(&self) -> u64 {
        0
    }
}
