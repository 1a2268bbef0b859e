//! The edge to Arrow.
