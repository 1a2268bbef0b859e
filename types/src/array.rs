//! Array values.

use crate::{TypeId, Value};

/// An array: elements in row-major order with the bounds of each dimension.
///
/// An empty array has no dimension. Statements make one-dimensional arrays; text input may bring more.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayValue {
    /// Type of the elements.
    pub element: TypeId,
    /// Length and lower bound of each dimension.
    pub dims: Vec<(i32, i32)>,
    /// The elements; null is [`Value::Null`].
    pub values: Vec<Value>,
}

impl ArrayValue {
    /// A one-dimensional array with lower bound 1 (no dimension if empty).
    pub fn new(element: TypeId, values: Vec<Value>) -> Self {
        let dims = if values.is_empty() { vec![] } else { vec![(values.len() as i32, 1)] };
        Self { element, dims, values }
    }
}
