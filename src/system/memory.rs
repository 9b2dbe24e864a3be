//! Memory that was used once, for something large, and is given back to the desktop.

/// Gives what is free back to the system. The C library of most Linux systems keeps what it once got, up to twice the largest
/// block (mallopt(3), `M_TRIM_THRESHOLD`); elsewhere there is nothing to do.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "a function of the C library")]
        // SAFETY: it takes no pointer and may be called at any time, by any thread (malloc_trim(3): MT-Safe).
        let _ = unsafe { libc::malloc_trim(0) };
    }
}
