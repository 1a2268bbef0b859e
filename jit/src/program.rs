//! Running groups: forms to code, tiles through code.

#![expect(unsafe_code, reason = "calls compiled code with the forms it was compiled for")]

use crate::bounds;
use crate::cache;
use crate::group::Group;
use crate::memory::Code;
use crate::shape::{Form, Lane};
use crate::typed::{Typed, lower};
use damask_types::{Mask, Vector, VectorData};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What became of a tile.
#[derive(Debug)]
pub enum Outcome {
    /// The result; rows that are not active hold anything valid.
    Done(Vector),
    /// The interpreter must run the tile: a check fired, or there is no code for these forms (yet).
    Interpret,
}

/// The programs of a group, one for each set of forms it has met, latest last.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    list: Mutex<Vec<Arc<Program>>>,
    rows: AtomicU64,
    tiles: AtomicU64,
    given_up: AtomicU64,
    functions: AtomicU64,
}

/// Sets of forms a group may have code for; then it has too little regularity to be worth more.
const PROGRAMS_MAX: usize = 8;

/// A group over inputs of known forms.
#[derive(Debug)]
struct Program {
    forms: Vec<Form>,
    /// `None` if these forms do not go together.
    root: Option<Typed>,
    /// Code made on first use; `None` in it if it cannot be made.
    checked: OnceLock<Option<Arc<Code>>>,
    unchecked: OnceLock<Option<Arc<Code>>>,
    nullable: bool,
}

impl Group {
    /// Runs a tile, once the group has met `rows_min` rows. `inputs` are the vectors of [`Group::inputs`], each of `rows` rows.
    ///
    /// # Panics
    /// If an input has another number of rows.
    pub fn run(&self, inputs: &[Vector], rows: usize, active: &Mask, rows_min: u64) -> Outcome {
        let seen = self.programs.rows.fetch_add(rows as u64, Ordering::Relaxed);
        if seen < rows_min || rows == 0 {
            return Outcome::Interpret;
        }
        assert!(inputs.iter().all(|input| input.rows() == rows), "inputs have the tile's rows");
        let answer =
            self.program(inputs).and_then(|program| self.run_tile(&program, inputs, rows, active));
        if let Some(vector) = answer {
            self.programs.tiles.fetch_add(1, Ordering::Relaxed);
            return Outcome::Done(vector);
        }
        self.programs.given_up.fetch_add(1, Ordering::Relaxed);
        Outcome::Interpret
    }

    /// Whether the next tile would be tried, so that its inputs are worth evaluating. Counts the rows of a tile that is not.
    pub fn is_due(&self, rows: usize, rows_min: u64) -> bool {
        if self.programs.rows.load(Ordering::Relaxed) >= rows_min {
            return true;
        }
        self.programs.rows.fetch_add(rows as u64, Ordering::Relaxed);
        false
    }

    /// Tiles that code ran, and tiles that it gave back to the interpreter.
    pub fn tiles(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.programs.tiles), load(&self.programs.given_up))
    }

    /// Functions that were compiled for it, or taken from the process's cache.
    pub fn functions(&self) -> u64 {
        self.programs.functions.load(Ordering::Relaxed)
    }

    fn program(&self, inputs: &[Vector]) -> Option<Arc<Program>> {
        let forms = inputs.iter().map(Form::of);
        let mut list = self.programs.list.lock().unwrap_or_else(PoisonError::into_inner);
        let is_match = |program: &&Arc<Program>| {
            program.forms.iter().map(|form| Some(*form)).eq(forms.clone())
        };
        if let Some(program) = list.iter().rev().find(is_match) {
            return Some(Arc::clone(program));
        }
        let forms = forms.clone().collect::<Option<Vec<_>>>()?;
        if list.len() == PROGRAMS_MAX {
            return None;
        }
        let root = lower(self, &forms);
        let program = Arc::new(Program {
            nullable: root.as_ref().is_some_and(|root| crate::typed::may_be_null(root, &forms)),
            root,
            forms,
            checked: OnceLock::new(),
            unchecked: OnceLock::new(),
        });
        list.push(Arc::clone(&program));
        Some(program)
    }

    fn run_tile(
        &self,
        program: &Program,
        inputs: &[Vector],
        rows: usize,
        active: &Mask,
    ) -> Option<Vector> {
        let root = program.root.as_ref()?;
        let bounds: Vec<_> = inputs.iter().map(bounds::of_vector).collect();
        let checked = !bounds::proves(root, &bounds, &self.slots);
        let code = program.code(root, checked, &self.programs.functions)?;
        let slots: Vec<u64> = self.slots.iter().map(|slot| slot.1).collect();
        let columns: Vec<*const u8> = inputs.iter().map(entries).collect();
        let validities: Vec<*const u64> = inputs
            .iter()
            .map(|input| input.validity().map_or(std::ptr::null(), |mask| mask.words.as_ptr()))
            .collect();
        let mut validity = Mask::first(rows);
        let mut run = |out: *mut u8| {
            // SAFETY: the vectors have the forms of the program (compared, or made from them), so as many entries as `rows` (or one),
            // and masks of all words; `out` comes from `result`, which gives room for the root's lane; masks have MASK_WORDS words.
            let fired = unsafe {
                code.run(
                    &columns,
                    &validities,
                    &slots,
                    &active.words,
                    rows,
                    out,
                    &mut validity.words,
                )
            };
            !fired
        };
        let data = result(root.lane, rows, &mut run)?;
        let validity = (program.nullable && validity != Mask::first(rows)).then_some(validity);
        Some(Vector::flat(self.ty, rows, data, validity))
    }
}

impl Program {
    /// The code, made now if this is the first tile that needs it; then it is counted.
    fn code(&self, root: &Typed, checked: bool, count: &AtomicU64) -> Option<Arc<Code>> {
        let place = if checked { &self.checked } else { &self.unchecked };
        let make = || {
            count.fetch_add(1, Ordering::Relaxed);
            cache::code(root, &self.forms, checked)
        };
        place.get_or_init(make).clone()
    }
}

/// Where a vector's entries begin.
fn entries(vector: &Vector) -> *const u8 {
    match &vector.data {
        VectorData::Bool(mask) => mask.words.as_ptr().cast(),
        VectorData::Int2(v) => v.as_ptr().cast(),
        VectorData::Int4(v) => v.as_ptr().cast(),
        VectorData::Int8(v) => v.as_ptr().cast(),
        VectorData::Oid(v) => v.as_ptr().cast(),
        VectorData::Float8(v) => v.as_ptr().cast(),
        VectorData::Decimal64 { values, .. } => values.as_ptr().cast(),
        _ => std::ptr::null(),
    }
}

/// Makes room for `rows` entries of a lane and has `run` fill it; `None` if it says that it could not.
fn result(lane: Lane, rows: usize, run: &mut dyn FnMut(*mut u8) -> bool) -> Option<VectorData> {
    fn fill<T: Copy>(zero: T, rows: usize, run: &mut dyn FnMut(*mut u8) -> bool) -> Option<Vec<T>> {
        let mut out = vec![zero; rows];
        run(out.as_mut_ptr().cast()).then_some(out)
    }
    Some(match lane {
        Lane::Bool => {
            let mut mask = Mask::NONE;
            if !run(mask.words.as_mut_ptr().cast()) {
                return None;
            }
            VectorData::Bool(Arc::new(mask))
        }
        Lane::Int2 => VectorData::Int2(fill(0i16, rows, run)?.into()),
        Lane::Int4 => VectorData::Int4(fill(0i32, rows, run)?.into()),
        Lane::Oid => VectorData::Oid(fill(0u32, rows, run)?.into()),
        Lane::Int8 => VectorData::Int8(fill(0i64, rows, run)?.into()),
        Lane::Float8 => VectorData::Float8(fill(0f64, rows, run)?.into()),
        Lane::Decimal(scale) => {
            VectorData::Decimal64 { scale, values: fill(0i64, rows, run)?.into() }
        }
    })
}
