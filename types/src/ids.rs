//! Identifiers as types, so that two of them cannot be swapped.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A catalog object's identifier, PostgreSQL's `oid`; 0 is "none", below 16384 are built in.
    Oid(u32)
}
id! {
    /// A relation's storage: one row-id space with its trees. Never reused; 0 is reserved.
    RelId(u32)
}
id! {
    /// A row of one relation, stable for its life and never reused.
    RowId(u64)
}
id! {
    /// An active transaction; bit 63 is set in memory words that hold either this or a [`Timestamp`].
    TxnId(u64)
}
id! {
    /// A commit's place in the one order of commits; 0 is before every commit.
    Timestamp(u64)
}
id! {
    /// A statement's number inside its transaction, from 0.
    CommandId(u32)
}
id! {
    /// A byte position in the log: lane in the top 8 bits, offset in the rest.
    Lsn(u64)
}
id! {
    /// A column's place in its relation, from 0 (PostgreSQL's `attnum` - 1, dropped columns counted).
    ColumnIndex(u16)
}

impl Oid {
    /// The absent object.
    pub const NONE: Self = Self(0);
    /// The first identifier given to an object that a user makes.
    pub const FIRST_USER: Self = Self(16_384);
}
