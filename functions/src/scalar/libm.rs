//! The C library's `cbrt`.
//!
//! PostgreSQL's `cbrt` is that of the C library, which need not round correctly: glibc's gives 3.0000000000000004 for 27.
//! The compiler brings a `cbrt` of its own, which rounds correctly, under the same symbol; the name `cbrtf64`, of the same
//! function in glibc, is the library's alone. Elsewhere the two are one.

/// The cube root as PostgreSQL computes it on this platform.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn cbrt(value: f64) -> f64 {
    // SAFETY: the C library's function of this name takes any number and touches nothing else.
    #[expect(unsafe_code, reason = "declares a pure function of the C library")]
    unsafe extern "C" {
        safe fn cbrtf64(value: f64) -> f64;
    }
    cbrtf64(value)
}

/// The cube root as PostgreSQL computes it on this platform.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn cbrt(value: f64) -> f64 {
    value.cbrt()
}
