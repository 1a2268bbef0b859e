//! Memory for writes past the system's cache.

use super::DIRECT_ALIGNMENT;

/// Bytes in memory that begin where a write past the system's cache may begin.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Aligned {
    /// So many zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut aligned = Self::default();
        let bytes = aligned.begin(len);
        bytes.resize(bytes.len() + len, 0);
        aligned
    }

    /// Empties it and makes room for `len` bytes.
    pub(crate) fn begin(&mut self, len: usize) -> &mut Vec<u8> {
        self.bytes.clear();
        self.bytes.reserve(len + DIRECT_ALIGNMENT);
        self.start = self.bytes.as_ptr().align_offset(DIRECT_ALIGNMENT);
        debug_assert!(self.start < DIRECT_ALIGNMENT, "bytes can be aligned");
        self.bytes.resize(self.start, 0);
        &mut self.bytes
    }

    /// What was appended since; no more than there was room for.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_again_and_again() {
        let mut aligned = Aligned::default();
        for len in [1, 4096, 100, 1 << 20, 4096] {
            let bytes = aligned.begin(len);
            bytes.resize(bytes.len() + len, 7);
            assert!((aligned.bytes().as_ptr() as usize).is_multiple_of(DIRECT_ALIGNMENT));
            assert_eq!(aligned.bytes(), vec![7; len]);
        }
        assert_eq!(Aligned::zeros(5).bytes(), [0; 5]);
    }
}
