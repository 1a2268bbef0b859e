//! `COPY`: rows to and from lines of text.
//!
//! [`options`] reads the statement's options, [`decode`] turns bytes into fields (in any chunking), [`encode`] turns rows into
//! bytes; [`binary`] does both for the binary format.

pub(crate) mod binary;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod options;

pub(crate) use decode::Decoder;
pub(crate) use encode::Encoder;
pub(crate) use options::{CopyFormat, CopyOptions};
