//! Roots, exponentials and logarithms.
