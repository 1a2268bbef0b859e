//! What is written is read back as the same value.
