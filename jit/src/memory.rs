//! Memory of compiled functions.
//!
//! Each function has a mapping of its own: written while it is writable, then made executable for good, unmapped when the last
//! [`Code`] that holds it goes (J4). Functions are a few KiB and are shared by shape, so pages half empty cost little; in return nothing that
//! runs ever becomes writable again.

#![expect(unsafe_code, reason = "machine code is mapped, made executable and called here alone")]

use std::ffi::c_void;
use std::ptr::NonNull;

/// What compiled functions look like; [`crate::emit`] explains the parameters.
type TileFunction = unsafe extern "C" fn(
    columns: *const *const u8,
    validities: *const *const u64,
    slots: *const u64,
    active: *const u64,
    rows: u64,
    out: *mut u8,
    out_validity: *mut u64,
) -> u32;

/// A compiled function.
#[derive(Debug)]
pub(crate) struct Code {
    start: NonNull<c_void>,
    mapped_bytes: usize,
}

// SAFETY: the mapping is not written after `new` has returned, and is unmapped by the only owner.
unsafe impl Send for Code {}
// SAFETY: as above; running code from several threads at once is no write to it.
unsafe impl Sync for Code {}

impl Code {
    /// Maps code that [`crate::emit::compile`] made. `None` if the system gives no memory.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
        let mapped_bytes = bytes.len().max(1).next_multiple_of(4096);
        // SAFETY: an anonymous private mapping at an address of the system's choice overlaps nothing.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                mapped_bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        };
        let code = Self { start: NonNull::new(start.ok()?)?, mapped_bytes };
        // SAFETY: the mapping is at least as long as `bytes`, writable, and nobody else has its address yet.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), code.start.as_ptr().cast(), bytes.len());
        }
        // SAFETY: the range is the mapping just made.
        unsafe {
            mprotect(code.start.as_ptr(), mapped_bytes, MprotectFlags::READ | MprotectFlags::EXEC)
        }
        .ok()?;
        Some(code)
    }

    /// Bytes that it holds.
    pub(crate) fn mapped_bytes(&self) -> usize {
        self.mapped_bytes
    }

    /// Runs it; gives whether a check fired.
    ///
    /// # Safety
    /// The arguments have the forms that the code was compiled for: `columns[i]` points to `rows` entries of input `i` (one if const, a
    /// mask for bools), `validities[i]` to a mask if it is nullable, `slots` to every literal, `active` and `out_validity` to masks,
    /// `out` to room for `rows` entries of the result (a mask for bools). Masks have a word for every 64 rows.
    pub(crate) unsafe fn run(
        &self,
        columns: &[*const u8],
        validities: &[*const u64],
        slots: &[u64],
        active: &[u64],
        rows: usize,
        out: *mut u8,
        out_validity: &mut [u64],
    ) -> bool {
        // SAFETY: the mapping holds the code of a function of this type from its first byte on.
        let function: TileFunction = unsafe { std::mem::transmute(self.start.as_ptr()) };
        // SAFETY: the caller's promise is what the code relies on.
        let status = unsafe {
            function(
                columns.as_ptr(),
                validities.as_ptr(),
                slots.as_ptr(),
                active.as_ptr(),
                rows as u64,
                out,
                out_validity.as_mut_ptr(),
            )
        };
        status != 0
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever could run it held a reference to `self`.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr(), self.mapped_bytes) };
    }
}
